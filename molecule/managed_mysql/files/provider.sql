-- The account by which the second server follows the first one.
CREATE USER 'provider'@'%' IDENTIFIED BY 'provider' REQUIRE SSL;
GRANT REPLICATION SLAVE ON *.* TO 'provider'@'%';
