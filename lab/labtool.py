# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the lab: real systemd hosts with sshd in podman containers, reached like VMs."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

LABEL = "webcluster-lab"
PREFIX = "wclab"
SUBNET_BITS = 28
HOST_USER = "ops"
ROUTE_METRIC = 4278198272
NEED_DISK_MB = 3000
BUILD_MEMORY_MB = 6000
RUN_DIR = pathlib.Path("/run/webcluster-lab")
RECIPE_DIR = pathlib.Path(__file__).resolve().parent / "image"
NEEDED_COMMANDS = {
    "podman": "podman",
    "crun": "crun",
    "conmon": "conmon",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}
NEEDED_FILES = {"/usr/lib/podman/netavark": "netavark"}
CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
ACTIONS = {
    "up": "start the hosts of an inventory",
    "down": "remove them with everything that belongs to them",
    "ssh": "open a shell on a host, or run a command there",
    "image": "build the image",
    "list": "names and addresses",
}
NEEDS_ROOT = ("up", "down", "image")
SETTINGS = pathlib.Path("/proc/sys")
# Forwarding is podman's wish; the usual 128 inotify instances are enough for a dozen hosts only, those after them boot degraded.
KERNEL = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": 4096}
RELEASES = {"12": "bookworm", "13": "trixie", "sid": "sid"}


class LabError(Exception):
    """A sentence for the operator."""


Runner = t.Callable[..., "subprocess.CompletedProcess[str]"]


def run(argv: t.Sequence[str], check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; a failure becomes one sentence that names it."""
    result = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        lines = [line for line in (result.stderr or result.stdout).strip().splitlines() if line.strip()]
        raise LabError(f"'{' '.join(argv[:6])} ...' failed: {lines[-1] if lines else 'no message'}")
    return result


# --- What the inventory says -------------------------------------------------------------------


@dataclass(frozen=True)
class Host:
    """One lab host and its address."""

    name: str
    address: ipaddress.IPv4Address

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return ipaddress.ip_network(f"{self.address}/{SUBNET_BITS}", strict=False)  # type: ignore[return-value]


@dataclass
class Cluster:
    """The hosts of one inventory, and where the lab keeps what belongs to them."""

    name: str
    hosts: list[Host]
    state: pathlib.Path

    @property
    def subnets(self) -> list[ipaddress.IPv4Network]:
        return sorted({host.subnet for host in self.hosts})

    def container(self, host: Host) -> str:
        return f"{PREFIX}-{self.name}-{host.name}"

    def network(self, subnet: ipaddress.IPv4Network) -> str:
        return f"{PREFIX}-{self.name}-{str(subnet.network_address).replace('.', '-')}"


def inventory_hosts(tree: t.Any) -> dict[str, dict[str, t.Any]]:
    """Every host of a YAML inventory with the variables that stand beside its name."""
    found: dict[str, dict[str, t.Any]] = {}

    def walk(group: t.Any) -> None:
        for name, variables in ((group or {}).get("hosts") or {}).items():
            found.setdefault(name, {}).update(variables or {})
        for child in ((group or {}).get("children") or {}).values():
            walk(child)

    for top in (tree or {}).values():
        walk(top)
    return found


def host_address(name: str, raw: t.Any, prefix: str) -> ipaddress.IPv4Address:
    """The address of a host; `{{ lab_prefix }}` stands for the first three numbers."""
    text = str(raw or "").replace("{{ lab_prefix }}", prefix)
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise LabError(
            f"Lab host {name} has ansible_host '{text}'; expected an IPv4 address, set it in host_vars/{name}.yml."
        ) from None


def load_hosts(inventory: pathlib.Path, prefix: str) -> list[Host]:
    """Read names from hosts.yml and addresses from beside them or from host_vars."""
    try:
        import yaml
    except ImportError:
        raise LabError("The lab needs PyYAML: run 'make venv' or install the package python3-yaml.") from None
    hosts_file = inventory / "hosts.yml"
    if not hosts_file.is_file():
        raise LabError(f"{hosts_file} does not exist; expected the lab's inventory there.")
    hosts = []
    for name, variables in inventory_hosts(yaml.safe_load(hosts_file.read_text())).items():
        host_file = inventory / "host_vars" / f"{name}.yml"
        if host_file.is_file():
            variables = {**variables, **(yaml.safe_load(host_file.read_text()) or {})}
        hosts.append(Host(name, host_address(name, variables.get("ansible_host"), prefix)))
    if not hosts:
        raise LabError(f"{hosts_file} names no host.")
    return hosts


# --- What must hold before anything is made -------------------------------------------------------


def overlapping_route(
    subnets: t.Iterable[ipaddress.IPv4Network], routes: t.Iterable[dict[str, t.Any]], own: t.Container[str]
) -> str | None:
    """The first route of the machine that overlaps a lab subnet and is not the lab's."""
    subnets = list(subnets)
    for route in routes:
        destination, device = str(route.get("dst", "")), str(route.get("dev", ""))
        if destination == "default" or device in own or route.get("type") == "unreachable":
            continue
        try:
            network = ipaddress.ip_network(destination, strict=False)
        except ValueError:
            continue
        if isinstance(network, ipaddress.IPv4Network) and any(network.overlaps(subnet) for subnet in subnets):
            return f"{destination} dev {device}" if device else destination
    return None


def missing_packages(which: t.Callable[[str], str | None], exists: t.Callable[[str], bool]) -> list[str]:
    """Debian packages that the lab needs and this machine lacks."""
    lacking = [package for command, package in NEEDED_COMMANDS.items() if not which(command)]
    lacking += [package for path, package in NEEDED_FILES.items() if not exists(path)]
    return sorted(set(lacking))


def ensure_machine(runner: Runner = run) -> None:
    """Packages and disk, each with its own sentence."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    lacking = missing_packages(shutil.which, os.path.exists)
    if lacking:
        if not shutil.which("apt-get"):
            raise LabError(f"The lab needs {', '.join(lacking)} and can install them with apt only: install them.")
        print(f"lab: installing {' '.join(lacking)}", file=sys.stderr)
        runner(["apt-get", "update", "-qq"])
        runner(
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                *lacking,
            ]
        )
    for place in (pathlib.Path("/var/lib"), cache_root()):
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free // 1_000_000
        if free < NEED_DISK_MB:
            raise LabError(
                f"{place} has {free} MB free; the lab needs {NEED_DISK_MB} MB: free some disk and run again."
            )


# --- podman, in a cgroup2 view where the machine has none -------------------------------------------


def cache_root() -> pathlib.Path:
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "webcluster-lab"


def has_pure_cgroup2(mounts: str) -> bool:
    """True when /sys/fs/cgroup itself is a cgroup2 mount."""
    rows = [line.split() for line in mounts.splitlines()]
    last = [row[2] for row in rows if len(row) > 2 and row[1] == "/sys/fs/cgroup"]
    return bool(last) and last[-1] == "cgroup2"


def host_ulimits() -> list[str]:
    """podman's defaults are more than a host without CAP_SYS_RESOURCE may give; these always are less."""
    limits = {"nofile": (resource.RLIMIT_NOFILE, 65536), "nproc": (resource.RLIMIT_NPROC, 32768)}
    values = {}
    for name, (kind, enough) in limits.items():
        hard = resource.getrlimit(kind)[1]
        values[name] = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    return [f"{name}={value}:{value}" for name, value in values.items()]


def is_mounted(path: pathlib.Path) -> bool:
    """os.path.ismount does not see a bind mount within one file system; the kernel's list does."""
    rows = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return any(row.split()[1] == str(path) for row in rows)


class Podman:
    """podman calls that all share one mount namespace and one configuration."""

    def __init__(self, runner: Runner = run) -> None:
        self.runner = runner
        self.namespace = RUN_DIR / "mnt"
        self.config = RUN_DIR / "containers.conf"
        self.entered = not has_pure_cgroup2(pathlib.Path("/proc/mounts").read_text())

    def prepare(self) -> None:
        """Make the configuration and, on a cgroup v1 or hybrid host, the shared mount namespace."""
        RUN_DIR.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(
            f"[containers]\npids_limit = 0\ndefault_ulimits = {json.dumps(host_ulimits())}\n"
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            'runtime = "crun"\n[network]\nnetwork_backend = "netavark"\n'
        )
        if not self.entered or self.ready():
            return
        if not is_mounted(RUN_DIR):
            # A namespace file can be kept on a private mount only.
            self.runner(["mount", "--bind", str(RUN_DIR), str(RUN_DIR)])
            self.runner(["mount", "--make-private", str(RUN_DIR)])
        self.namespace.touch()
        script = "umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup"
        self.runner(["unshare", f"--mount={self.namespace}", "--propagation", "private", "sh", "-ec", script])

    def ready(self) -> bool:
        if not self.entered:
            return True
        if not is_mounted(self.namespace):
            return False
        return self.runner(["nsenter", f"--mount={self.namespace}", "true"], check=False).returncode == 0

    def release(self) -> None:
        """Give back the namespace; the last cluster is gone."""
        for place in (self.namespace, RUN_DIR):
            while is_mounted(place):
                self.runner(["umount", "-l", str(place)])
        shutil.rmtree(RUN_DIR, ignore_errors=True)

    def argv(self, *args: str) -> list[str]:
        enter = ["nsenter", f"--mount={self.namespace}"] if self.entered else []
        return [*enter, "env", f"CONTAINERS_CONF={self.config}", "podman", *args]

    def __call__(self, *args: str, check: bool = True) -> str:
        return self.runner(self.argv(*args), check=check).stdout

    def json(self, *args: str) -> t.Any:
        return json.loads(self(*args, "--format", "json") or "null") or []


@contextlib.contextmanager
def locked(what: str) -> t.Iterator[None]:
    """One lab command at a time: two would race for networks and routes, or build an image twice."""
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / f"lock-{what}").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- The image ----------------------------------------------------------------------------------------


def recipe_digest(release: str, files: t.Iterable[pathlib.Path]) -> str:
    """Changes whenever the recipe does."""
    digest = hashlib.sha256(release.encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def image_name(release: str) -> str:
    files = [
        RECIPE_DIR / "build.sh",
        RECIPE_DIR / "customize.sh",
        RECIPE_DIR / f"packages-{release}",
        RECIPE_DIR / "packages",
    ]
    return f"localhost/{LABEL}:{release}-{recipe_digest(release, [path for path in files if path.exists()])}"


def ensure_image(podman: Podman, release: str) -> str:
    """The cached image, built when its recipe is new."""
    given = os.environ.get("LAB_IMAGE")
    if given:
        return given
    if release not in RELEASES:
        raise LabError(f"LAB_RELEASE is '{release}'; expected one of {', '.join(RELEASES)}.")
    name = image_name(release)
    with locked(f"image-{release}"):
        if podman.runner(podman.argv("image", "exists", name), check=False).returncode != 0:
            build_image(podman, release, name)
    return name


def build_image(podman: Podman, release: str, name: str) -> None:
    print(f"lab: building the image {name} (once; some minutes)", file=sys.stderr)
    available = int(pathlib.Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) // 1024
    log = cache_root() / f"build-{release}.log"
    command = [
        "bash",
        str(RECIPE_DIR / "build.sh"),
        RELEASES[release],
        release,
        "1" if available > BUILD_MEMORY_MB else "0",
    ]
    with log.open("w") as sink:
        build = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink)
        loaded = subprocess.run(
            podman.argv("import", "--change", 'CMD ["/sbin/init"]', "-", f"{name}-new"),
            stdin=build.stdout,
            stdout=sink,
            stderr=sink,
            check=False,
        )
    if build.wait() != 0 or loaded.returncode != 0:
        podman("rmi", "--force", f"{name}-new", check=False)
        tail = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        raise LabError(f"Building the image for Debian {release} failed, see {log}: {''.join(tail)}")
    podman("tag", f"{name}-new", name)
    podman("untag", f"{name}-new", f"{name}-new")
    older = [tag for row in podman.json("images", name.split(":")[0]) for tag in row.get("Names") or []]
    for tag in older:
        # One that still has hosts stays; podman refuses.
        if tag.startswith(name.rsplit("-", 1)[0]) and tag != name:
            podman("rmi", tag, check=False)


# --- Up and down ---------------------------------------------------------------------------------------


def write_keys(cluster: Cluster) -> None:
    """One key for the operator, one host key for each host, made before the first connection."""
    cluster.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = [cluster.state / "id_ed25519"] + [cluster.state / f"hostkey-{host.name}" for host in cluster.hosts]
    for path in wanted:
        if not path.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{LABEL} {path.name}", "-f", str(path)])
    shutil.copy(cluster.state / "id_ed25519.pub", cluster.state / "authorized_keys")
    known, config = [], []
    for host in cluster.hosts:
        key = " ".join((cluster.state / f"hostkey-{host.name}.pub").read_text().split()[:2])
        known.append(f"{host.name},{host.address} {key}\n")
        config.append(f"Host {host.name} {host.address}\n  HostName {host.address}\n")
    (cluster.state / "known_hosts").write_text("".join(known))
    (cluster.state / "ssh_config").write_text(
        "".join(config)
        + f"Host *\n  User {HOST_USER}\n  IdentityFile {cluster.state}/id_ed25519\n  IdentitiesOnly yes\n"
        + f"  UserKnownHostsFile {cluster.state}/known_hosts\n  StrictHostKeyChecking yes\n  ConnectTimeout 10\n"
    )


def container_argv(cluster: Cluster, host: Host, image: str) -> list[str]:
    """The arguments that make one host."""
    state = cluster.state
    return [
        "run", "--detach", "--name", cluster.container(host), "--hostname", host.name,
        "--label", f"{LABEL}={cluster.name}", "--label", f"{LABEL}-image={image}",
        "--network", f"{cluster.network(host.subnet)}:ip={host.address}",
        "--systemd=always", "--privileged", "--pids-limit", "0",
        "--volume", f"{state}/hostkey-{host.name}:/etc/ssh/ssh_host_ed25519_key:ro",
        "--volume", f"{state}/authorized_keys:/etc/ssh/lab_authorized_keys:ro",
        image, "/sbin/init",
    ]  # fmt: skip


def nat_rule(action: str, subnet: ipaddress.IPv4Network, other: ipaddress.IPv4Network) -> list[str]:
    """Lab hosts see each other's real address: no masquerading between the subnets."""
    position = ["1"] if action == "-I" else []
    where = ["iptables", "-w", "-t", "nat", action, "POSTROUTING", *position, "-s", str(subnet), "-d", str(other)]
    return [*where, "-m", "comment", "--comment", LABEL, "-j", "ACCEPT"]


def set_routes(cluster: Cluster) -> None:
    for subnet in cluster.subnets:
        run(["ip", "route", "replace", "unreachable", str(subnet), "metric", str(ROUTE_METRIC)])
        for other in cluster.subnets:
            if other != subnet and run(nat_rule("-C", subnet, other), check=False).returncode != 0:
                run(nat_rule("-I", subnet, other))


def drop_routes(subnets: t.Iterable[ipaddress.IPv4Network]) -> None:
    subnets = list(subnets)
    for subnet in subnets:
        run(["ip", "route", "del", "unreachable", str(subnet), "metric", str(ROUTE_METRIC)], check=False)
        for other in subnets:
            while other != subnet and run(nat_rule("-D", subnet, other), check=False).returncode == 0:
                pass


def tune_kernel(settings: pathlib.Path = SETTINGS, kept: pathlib.Path = RUN_DIR) -> None:
    """Give each host's systemd its watches, and remember what was set before."""
    for name, enough in KERNEL.items():
        path, remembered = settings / name, kept / name.rpartition("/")[2]
        now = path.read_text()
        if not remembered.exists():
            remembered.write_text(now)
        if int(now) < enough:
            path.write_text(str(enough))


def restore_kernel(settings: pathlib.Path = SETTINGS, kept: pathlib.Path = RUN_DIR) -> None:
    for name in KERNEL:
        remembered = kept / name.rpartition("/")[2]
        if remembered.exists():
            (settings / name).write_text(remembered.read_text())


def cluster_networks(podman: Podman, name: str) -> dict[str, dict[str, t.Any]]:
    rows = podman.json("network", "ls", "--filter", f"label={LABEL}={name}")
    return {row["name"]: row for row in rows}


def cluster_containers(podman: Podman, name: str) -> dict[str, dict[str, t.Any]]:
    rows = podman.json("ps", "--all", "--filter", f"label={LABEL}={name}")
    return {row["Names"][0]: row for row in rows}


def ready_podman() -> Podman:
    with locked("cluster"):
        ensure_machine()
        podman = Podman()
        podman.prepare()
    return podman


def up(cluster: Cluster, image: str) -> None:
    """Bring every host to a state in which SSH answers and systemd has finished booting."""
    podman = Podman()
    podman.prepare()
    networks = cluster_networks(podman, cluster.name)
    own = {row["network_interface"] for row in networks.values()}
    routes = json.loads(run(["ip", "-j", "-4", "route"]).stdout or "[]")
    clash = overlapping_route(cluster.subnets, routes, own)
    if clash:
        raise LabError(
            f"The route {clash} of this machine overlaps the lab's subnets: set LAB_PREFIX to three free numbers."
        )
    write_keys(cluster)
    tune_kernel()
    for subnet in cluster.subnets:
        if cluster.network(subnet) not in networks:
            podman("network", "create", "--disable-dns", "--subnet", str(subnet),
                   "--label", f"{LABEL}={cluster.name}", cluster.network(subnet))  # fmt: skip
    set_routes(cluster)
    present = cluster_containers(podman, cluster.name)

    def ensure(host: Host) -> None:
        name = cluster.container(host)
        row = present.get(name)
        if row and (row["State"] == "created" or row["Labels"].get(f"{LABEL}-image") != image):
            podman("rm", "--force", "--time", "0", name)
            row = None
        if row is None:
            podman(*container_argv(cluster, host, image))
        elif row["State"] != "running":
            podman("start", name)

    stale = set(present) - {cluster.container(host) for host in cluster.hosts}
    if stale:
        podman("rm", "--force", "--time", "0", *sorted(stale))
    for host in cluster.hosts:
        ensure(host)
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda host: wait_booted(cluster, host), cluster.hosts))


def wait_booted(cluster: Cluster, host: Host, patience: float = 90.0) -> None:
    """An open port is not a booted host: systemd itself must say so, and SSH must let us in."""
    deadline = time.monotonic() + patience
    state = ""
    while time.monotonic() < deadline:
        probe = run(ssh_argv(cluster, host.name, ["systemctl", "is-system-running", "--wait"]), check=False)
        state = probe.stdout.strip()
        if state == "running":
            return
        if state == "degraded":
            failed = run(ssh_argv(cluster, host.name, ["systemctl", "--failed", "--plain", "--no-legend"]), check=False)
            raise LabError(f"Lab host {host.name} booted with failed units: {failed.stdout.strip()}")
        time.sleep(0.3)
    raise LabError(
        f"Lab host {host.name} did not boot within {patience:.0f} s (systemd says '{state}'): run lab-down, then lab-up."
    )


def ssh_argv(cluster: Cluster, host: str, command: t.Sequence[str] = ()) -> list[str]:
    config = cluster.state / "ssh_config"
    if not config.exists():
        raise LabError(f"The lab '{cluster.name}' is not up: run lab-up first.")
    return ["ssh", "-F", str(config), *(["-o", "BatchMode=yes"] if command else []), host, *command]


def cluster_state(name: str) -> pathlib.Path:
    return cache_root() / "clusters" / name


def every_cluster() -> list[str]:
    """Names of the clusters that left keys, hosts or networks."""
    names = {path.name for path in (cache_root() / "clusters").glob("*")}
    if shutil.which("podman"):
        podman = Podman()
        podman.prepare()
        rows = podman.json("ps", "--all", "--filter", f"label={LABEL}")
        rows += podman.json("network", "ls", "--filter", f"label={LABEL}")
        names |= {(row.get("Labels") or row.get("labels"))[LABEL] for row in rows}
    return sorted(names)


def down(name: str, state: pathlib.Path) -> None:
    """Remove every trace of a cluster; the image stays."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if shutil.which("podman"):
        podman = Podman()
        podman.prepare()
        containers = sorted(cluster_containers(podman, name))
        if containers:
            podman("rm", "--force", "--time", "0", *containers)
        networks = cluster_networks(podman, name)
        drop_routes(ipaddress.IPv4Network(subnet["subnet"]) for row in networks.values() for subnet in row["subnets"])
        if networks:
            podman("network", "rm", "--force", *sorted(networks))
        others = podman.json("ps", "--all", "--filter", f"label={LABEL}")
        if not others and not podman.json("network", "ls", "--filter", f"label={LABEL}"):
            restore_kernel()
            podman.release()
    shutil.rmtree(state, ignore_errors=True)


@dataclass
class Options:
    """The command line, typed."""

    action: str
    inventory: pathlib.Path
    name: str
    state: pathlib.Path
    release: str
    prefix: str
    host: str = ""
    everything: bool = False
    command: list[str] = field(default_factory=list)


def parse(argv: t.Sequence[str], environ: t.Mapping[str, str]) -> Options:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--inventory", type=pathlib.Path, default=CHECKOUT / "inventory/lab")
    shared.add_argument("--name", help="name of the cluster; by default the folder that holds the inventory")
    shared.add_argument("--state", type=pathlib.Path, help="folder for keys and ssh_config")
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for action, summary in ACTIONS.items():
        sub = actions.add_parser(action, parents=[shared], help=summary, description=summary)
        if action == "down":
            sub.add_argument("--all", action="store_true", help="every cluster, also those that a killed test left")
        if action == "ssh":
            sub.add_argument("host")
            sub.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    inventory = args.inventory.resolve()
    name = args.name or (inventory.parent.name if inventory.name == "inventory" else inventory.name).replace("_", "-")
    return Options(
        action=args.action, inventory=inventory, name=name,
        state=args.state.resolve() if args.state else cluster_state(name),
        release=environ.get("LAB_RELEASE") or "13", prefix=environ.get("LAB_PREFIX") or "10.0.0",
        host=getattr(args, "host", ""), everything=getattr(args, "all", False), command=getattr(args, "command", []),
    )  # fmt: skip


def main(argv: t.Sequence[str]) -> int:
    options = parse(argv, os.environ)
    if options.action in NEEDS_ROOT and os.geteuid() != 0:
        raise LabError("The lab makes and removes containers, networks and routes and needs root: run it with sudo.")
    if options.action == "down":
        with locked("cluster"):
            names = [options.name, *(every_cluster() if options.everything else [])]
            for name in dict.fromkeys(names):
                down(name, options.state if name == options.name else cluster_state(name))
                print(f"lab: '{name}' is down, nothing is left of it")
        return 0
    if options.action == "image":
        print(ensure_image(ready_podman(), options.release))
        return 0
    cluster = Cluster(options.name, load_hosts(options.inventory, options.prefix), options.state)
    if options.action == "up":
        image = ensure_image(ready_podman(), options.release)
        with locked("cluster"):
            up(cluster, image)
        print(
            f"lab: {len(cluster.hosts)} hosts of '{cluster.name}' are up; ssh -F {cluster.state}/ssh_config {cluster.hosts[0].name}"
        )
        return 0
    if options.action == "ssh":
        names = [host.name for host in cluster.hosts]
        if options.host not in names:
            raise LabError(f"HOST is '{options.host}'; expected one of {', '.join(names)}.")
        return subprocess.call(ssh_argv(cluster, options.host, options.command))
    for host in cluster.hosts:
        print(f"{host.name:16} {host.address}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(2)
