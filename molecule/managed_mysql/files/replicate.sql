-- The second server follows the first one from its first transaction on.
CHANGE MASTER TO MASTER_HOST = '10.95.8.20', MASTER_USER = 'provider', MASTER_PASSWORD = 'provider',
  MASTER_USE_GTID = slave_pos, MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 0, MASTER_CONNECT_RETRY = 1;
START SLAVE;
