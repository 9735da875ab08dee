# Every command of the project; `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

INVENTORY ?= inventory/lab
VENV ?= .venv
PYTHON ?=
FORMAT ?= table
ARGS ?=
BASE ?=
ROLE ?= haproxy
TIER ?= web
AZURE_INVENTORY ?= inventory/azure
NAME ?=
LOCATION ?=
FROM ?=
CONFIRM ?=
AZURE_VARIABLES = $(if $(NAME),-e azure_estate_name=$(NAME)) $(if $(LOCATION),-e azure_estate_location=$(LOCATION)) \
  $(if $(FROM),-e azure_estate_admin_cidrs=$(FROM))
# The longest first.
SCENARIOS := replication_status azure wordpress site apache_php mysql_replica redis_replica redis_master haproxy keepalived mysql_master firewall
# For make test-full: the hour has no room for them.
LONG_SCENARIOS := managed_mysql managed_redis
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help venv venv-dev site status azure-plan azure-up azure-down azure-check azure-smoke lab-up lab-down lab-down-all lab-ssh lab-replace lab-image lint types unit mutations sanity syntax check check-oldest size lab-check replace-hosts open-ports fault-run error-budget rotate-secrets awx-check ee-check galaxy-check molecule test test-full bench bench-converge bench-inventory bench-azure bench-status bench-web front-door-check bench-log trap-table clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv:
	@tools/venv.sh $(VENV) requirements.txt $(PYTHON)

venv-dev:
	@tools/venv.sh $(VENV) requirements-dev.txt $(PYTHON)

site: venv ## Build the cluster: the lab's eight hosts, or INVENTORY=inventory/azure
	@[[ "$(INVENTORY)" != inventory/lab* ]] || lab/lab up --inventory $(INVENTORY)
	ansible-playbook -i $(INVENTORY) site.yml $(ARGS)

status: venv ## Look at the whole cluster; fails unless it is healthy; FORMAT=json for machines
	@python tools/status.py --inventory $(INVENTORY) --format $(FORMAT) $(if $(ARGS),-- $(ARGS))

azure-plan: venv ## Tell what azure-up would make or change in Azure; settings as in docs/azure-estate.md
	@ansible-playbook -i $(AZURE_INVENTORY) playbooks/azure_plan.yml $(AZURE_VARIABLES) $(ARGS)

azure-up: venv ## Make the machines in Azure: NAME=webcluster LOCATION=westeurope FROM=203.0.113.7/32
	@ansible-playbook -i $(AZURE_INVENTORY) playbooks/azure_up.yml --diff $(AZURE_VARIABLES) $(ARGS)

azure-down: venv ## Take the machines in Azure away again; asks for the name: NAME=webcluster
	@ansible-playbook -i $(AZURE_INVENTORY) playbooks/azure_down.yml --diff $(AZURE_VARIABLES) $(ARGS)

azure-check: venv-dev ## Prove azure-up and azure-down against a loopback subscription; bodies by the published schemas where they are at hand
	@. tools/common.sh; link_collection
	pytest -q tests/unit/plugins/plugin_utils/azure_estate tests/unit/plugins/plugin_utils/azure_ports tests/unit/plugins/action tests/unit/playbooks/test_azure_estate.py tests/unit/playbooks/test_azure_status.py tests/unit/playbooks/test_azure_smoke.py

azure-smoke: venv ## Make, build, check and remove an estate in a real subscription: CONFIRM=<subscription id> LOCATION= FROM=; it costs money
	@python tools/azure_smoke.py --confirm "$(CONFIRM)" --location "$(LOCATION)" --admins "$(FROM)" $(ARGS)

lab-up: venv ## Start the lab's eight hosts; LAB_RELEASE=12, 13 or sid
	@lab/lab up --inventory $(INVENTORY)

lab-down: ## Remove this checkout's lab: hosts, networks, routes, keys
	@lab/lab down --inventory $(INVENTORY)

lab-down-all: ## Remove every lab of the machine, also other checkouts' and what a killed test left
	@lab/lab down --all

lab-ssh: ## Open a shell on a lab host: HOST=centosweb1
	@lab/lab ssh --inventory $(INVENTORY) "$(HOST)"

lab-replace: ## Put an empty host in the place of a lab host: HOST=centosmysql2
	@lab/lab replace --inventory $(INVENTORY) "$(HOST)"

lab-image: venv ## Build the lab's image beforehand
	@lab/lab image

lint: venv-dev ## Every lint, type and documentation check
	@tools/lint.sh

unit: venv-dev ## Unit tests, whole playbooks without hosts, and the services' own programs on loopback where they can be installed
	@tools/lint.sh unit playbooks services

mutations: venv-dev ## Break the collection in known places, one at a time, and see that the unit tests notice
	@python tools/mutations.py

sanity: venv-dev ## ansible-test sanity
	@tools/sanity.sh

check: venv-dev ## The fast lane: lint, types, unit tests; under 3 minutes
	@tools/size.sh
	tools/lint.sh check

check-oldest: ## Lint, sanity, unit tests and syntax on the oldest supported controller
	@tools/venv.sh .venv-oldest requirements-dev.txt oldest
	# What reads the text alone, or runs the services' own programs, finds the same with every controller.
	VENV=.venv-oldest tools/lint.sh unit playbooks ansible-lint syntax
	VENV=.venv-oldest tools/sanity.sh

size: ## Files and lines of plugins/, its tests and roles/; BASE=eb13032 shows what they were there
	@tools/size.sh $(BASE)

lab-check: venv-dev ## Prove on real hosts that labs cannot be mixed up and that a host cannot change the machine
	@python tests/lab/check.py

rotate-secrets: venv-dev ## Change every password and user name of the lab's cluster under load: requests and failures of each
	@python -m tests.error_budget.rotate_secrets --inventory $(INVENTORY)

error-budget: venv-dev ## Update, reload or move a tier of the lab's cluster under load: TIER=web, mysql or redis
	@python -m tests.error_budget.$(TIER) --inventory $(INVENTORY) $(ARGS)

open-ports: venv-dev ## Knock at every port of the lab's cluster, from outside with nmap and from each tier: who is let in, and who must be
	@python -m tests.error_budget.open_ports --nmap --inventory $(INVENTORY)

fault-run: venv-dev ## Kill, freeze, stop and misconfigure parts of the lab's cluster under load; each event has an error budget
	@python -m tests.error_budget.faults --inventory $(INVENTORY) $(ARGS)

awx-check: venv-dev ## Prove the AWX data with ansible-runner on lab hosts
	@tools/awx_check.sh

replace-hosts: venv-dev ## Replace each of the lab's hosts by an empty one; compare every row and key before and after
	@python -m tests.error_budget.replace_hosts --inventory $(INVENTORY)

ee-check: venv-dev ## Prove the execution environment's dependencies in a bare system
	@tools/ee_check.sh

galaxy-check: venv-dev ## Build the Galaxy archive, install it elsewhere and use it
	@tools/galaxy_check.sh

molecule: venv-dev ## Test one role on real hosts: ROLE=haproxy
	@molecule test -s $(ROLE)

test: venv-dev ## Everything: lint, types, sanity, unit tests, every role and the whole site on real hosts
	@tools/test.sh $(SCENARIOS)

test-full: venv-dev ## Also managed tiers, and every role on every release and engine; takes longer than an hour
	@tools/test.sh $(SCENARIOS) $(LONG_SCENARIOS)
	for release in 12 sid; do LAB_RELEASE=$$release tools/test.sh --scenarios-only $(SCENARIOS) $(LONG_SCENARIOS); done
	REDIS_FLAVOR=valkey tools/test.sh --scenarios-only redis_master redis_replica

bench: bench-converge bench-inventory bench-azure bench-status bench-log bench-web ## Every benchmark

bench-converge: venv ## Tasks, CPU by host and module, and wall time of the first and the second converge of a fresh lab
	@python tests/bench/converge.py $(ARGS)

bench-inventory: venv ## Requests, CPU, memory and time of the Azure inventory, up to 10,000 machines
	@python tests/bench/inventory.py

bench-azure: venv ## Requests, time and CPU of an estate in Azure, up to 200 machines, with operations of one second
	@. tools/common.sh; link_collection
	PYTHONPATH=.ansible/collections python tests/bench/azure_estate.py

bench-status: venv ## CPU and wall time of one look of replication_status beside other modules, and of one HTTP check
	@python tests/bench/status.py

bench-web: venv ## CPU of a request on the lab's cluster: file, Redis, MySQL; kept and new connections, TLS; beside the tutorial's settings
	@python -m tests.bench.web --inventory $(INVENTORY)

front-door-check: venv-dev ## The front door of the lab's cluster: demo and statistics in a headless Chromium, testssl.sh, smuggled requests
	@python -m tests.front_door.smuggling --inventory $(INVENTORY)
	python -m tests.front_door.tls --inventory $(INVENTORY)
	python -m tests.front_door.browser --inventory $(INVENTORY)

bench-log: venv ## CPU of HAProxy and of journald for a keep-alive request: without a log, in a file, in the journal
	@. tools/common.sh; link_collection
	PYTHONPATH=.ansible/collections python tests/bench/haproxy_log.py $(ARGS)

trap-table: venv ## Put what the last runs of ROLE=replication_status said into docs/replication-status.md
	@python tools/trap_table.py

clean: lab-down ## Remove the lab and the virtual environments
	@rm -rf .venv .venv-oldest .ansible
