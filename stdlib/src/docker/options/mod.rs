//! What a container may be made with: the parameters of `docker create`, by the names that Salt gives them.

mod files;
mod limits;
mod network;

use super::{
    rows::{Rows, texts},
    text::{Named, pairs, restart_policy},
};
use crate::exec::split_words;
use serde_json::Value as Json;
use zester_compiler::types::{Seconds, Size, Value};
use zester_stdlib_derive::Arguments;

/// How a container is made.
#[derive(Arguments)]
#[shared]
pub(super) struct Options {
    /// The command; the image's own if nothing is said.
    #[arg(alias = "cmd", ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    command: Option<Value>,
    /// The program before the command; the image's own if nothing is said.
    #[arg(ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    entrypoint: Option<Value>,
    /// Variables, as a map or as `NAME=value`. Their values are on no command line: a secret belongs here.
    #[arg(alias = "env")]
    environment: Named,
    /// Labels, as a map or as `name=value`.
    #[arg(alias = "label")]
    labels: Named,
    /// Ports that are told to other containers, as `80` or `53/udp`.
    #[arg(alias = "expose")]
    ports: Vec<String>,
    /// Ports of the machine that lead into the container, as `8080:80`, `127.0.0.1:53:53/udp`, or `80` for one that is free.
    #[arg(alias = "publish")]
    port_bindings: Vec<String>,
    /// Whether all ports that are told lead to free ones of the machine.
    #[arg(alias = "publish_all")]
    publish_all_ports: Option<bool>,
    /// Directories and volumes of the machine inside the container, as `/srv/www:/www:ro` or `data:/var/lib/data`.
    binds: Vec<String>,
    /// Paths of the container that lie in volumes; with a colon as in `binds`.
    #[arg(alias = "volume")]
    volumes: Vec<String>,
    /// Containers whose volumes it has, too.
    volumes_from: Vec<String>,
    /// The driver of its volumes.
    volume_driver: Option<String>,
    /// Directories in memory, each with its options.
    tmpfs: Named,
    /// When it is started again: `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:5`.
    #[arg(alias = "restart", ty = Type::Any)]
    restart_policy: Option<Value>,
    /// How it reaches the network: `bridge`, `host`, `none`, `container:NAME` or a network.
    network_mode: Option<String>,
    /// Whether it has no network: the same as `network_mode: none`.
    network_disabled: Option<bool>,
    /// Its host name.
    hostname: Option<String>,
    /// Its domain.
    domainname: Option<String>,
    /// Further names of hosts, as a map or as `name:address`.
    extra_hosts: Named,
    /// Servers that resolve names.
    dns: Vec<String>,
    /// Domains that are tried.
    dns_search: Vec<String>,
    /// Options of the resolver.
    #[arg(alias = "dns_option")]
    dns_opt: Vec<String>,
    /// Other containers that it knows by name, as a map of names to aliases or as `name:alias`.
    links: Named,
    /// Its hardware address.
    mac_address: Option<String>,
    /// The user inside.
    user: Option<String>,
    /// Groups that the user inside is in.
    group_add: Vec<String>,
    /// The directory inside.
    #[arg(alias = "workdir")]
    working_dir: Option<String>,
    /// Whether it may do what the machine may.
    privileged: Option<bool>,
    /// Capabilities that it has, too.
    cap_add: Vec<String>,
    /// Capabilities that it has not.
    cap_drop: Vec<String>,
    /// Options for its security, as `no-new-privileges`.
    #[arg(alias = "security_opts")]
    security_opt: Vec<String>,
    /// Devices of the machine, as `/dev/net/tun` or `/dev/sda:/dev/xvda:r`.
    devices: Vec<String>,
    /// Whether nothing in its own file system can be changed.
    read_only: Option<bool>,
    /// Whether it is removed when it ends.
    #[arg(alias = "rm")]
    auto_remove: Option<bool>,
    /// Whether a small init reaps its processes.
    init: Option<bool>,
    /// Whether it has a terminal.
    tty: Option<bool>,
    /// Whether its input stays open.
    #[arg(alias = "stdin_open")]
    interactive: Option<bool>,
    /// Whether nobody waits for it.
    #[arg(inert = "containers always run on their own; what they say is in `docker logs`")]
    detach: Option<bool>,
    /// Most memory.
    #[arg(alias = "memory")]
    mem_limit: Option<Size>,
    /// Most memory and swap; `-1` for as much as there is.
    #[arg(alias = "memory_swap", ty = Type::Size.or(Type::Int { min: -1, max: i64::MAX }))]
    memswap_limit: Option<Value>,
    /// How readily its memory is swapped, `0` to `100`.
    #[arg(ty = Type::Int { min: -1, max: 100 })]
    mem_swappiness: Option<i64>,
    /// Shared memory.
    shm_size: Option<Size>,
    /// Its share of processors, beside the shares of others.
    #[arg(alias = "cpushares")]
    cpu_shares: Option<u32>,
    /// Length of a period of the scheduler, in microseconds.
    cpu_period: Option<u32>,
    /// Time in a period, in microseconds.
    cpu_quota: Option<i64>,
    /// Time in a period.
    #[arg(inert = "`cpu_period` and `cpu_quota` are the length of a period and the time in it")]
    cpu_group: Option<Value>,
    /// Processors that it runs on, as `0-2` or `0,1`.
    #[arg(alias = "cpuset")]
    cpuset_cpus: Option<String>,
    /// Nodes whose memory it has.
    cpuset_mems: Option<String>,
    /// Its share of disks, `10` to `1000`.
    #[arg(ty = Type::Int { min: 0, max: 1000 })]
    blkio_weight: Option<i64>,
    /// Its share of single disks, as `/dev/sda:100`.
    blkio_weight_device: Vec<String>,
    /// Most bytes a second that it reads of devices, as `/dev/sda:1mb`.
    device_read_bps: Vec<String>,
    /// Most reads a second of devices, as `/dev/sda:1000`.
    device_read_iops: Vec<String>,
    /// Most bytes a second that it writes to devices, as `/dev/sda:1mb`.
    device_write_bps: Vec<String>,
    /// Most writes a second to devices, as `/dev/sda:1000`.
    device_write_iops: Vec<String>,
    /// Most processes.
    pids_limit: Option<i64>,
    /// Limits of its processes, as `nofile=1024:2048`.
    #[arg(alias = "ulimit")]
    ulimits: Vec<String>,
    /// Whether it survives where memory runs out.
    oom_kill_disable: Option<bool>,
    /// How readily it is ended where memory runs out, `-1000` to `1000`.
    #[arg(ty = Type::Int { min: -1000, max: 1000 })]
    oom_score_adj: Option<i64>,
    /// Parameters of the kernel, as a map or as `name=value`.
    #[arg(alias = "sysctl")]
    sysctls: Named,
    /// Where what it says goes: `json-file`, `journald`, `syslog` …
    log_driver: Option<String>,
    /// Options of that.
    log_opt: Named,
    /// Options of its storage.
    storage_opt: Named,
    /// Parameters of LXC.
    #[arg(inert = "Docker runs nothing with LXC any more")]
    lxc_conf: Option<Value>,
    /// Whose shared memory and semaphores it has.
    #[arg(alias = "ipc")]
    ipc_mode: Option<String>,
    /// Whose processes it sees.
    pid_mode: Option<String>,
    /// The names of its users.
    #[arg(alias = "user_ns_mode")]
    userns_mode: Option<String>,
    /// The group of processes that it is under.
    cgroup_parent: Option<String>,
    /// How it is kept apart.
    isolation: Option<String>,
    /// What runs it.
    runtime: Option<String>,
    /// The signal that ends it.
    stop_signal: Option<String>,
    /// How long it may take to end.
    stop_timeout: Option<Seconds>,
}

fn words_of(value: Option<&Value>) -> Result<Option<Vec<String>>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::List(list)) => Ok(Some(list.iter().map(Value::to_string).collect())),
        Some(text) => split_words(&text.to_string()).map(Some),
    }
}

impl Options {
    /// Whether a container goes away when it ends.
    pub(super) fn auto_remove(&self) -> bool {
        self.auto_remove == Some(true)
    }

    /// All options: what is wanted beside what the container has, and the words that make one.
    pub(super) fn rows<'i>(
        &self,
        image: Option<&'i Json>,
        inspected: Option<&'i Json>,
        own_label: &str,
    ) -> Result<(Rows<'i>, Vec<String>), String> {
        let mut rows = Rows::of(inspected);
        let command = self.command(image, &mut rows)?;
        rows.variables(image, &pairs("environment", &self.environment, '=')?)?;
        rows.labels(image, &pairs("labels", &self.labels, '=')?, own_label);
        self.network(image, &mut rows)?;
        self.volumes(image, &mut rows)?;
        self.rights(image, &mut rows);
        self.limits(&mut rows)?;
        self.others(&mut rows)?;
        Ok((rows, command))
    }

    /// The program and its arguments are one row: `docker create` takes one word for the former, and the rest goes to the latter.
    fn command(&self, image: Option<&Json>, rows: &mut Rows<'_>) -> Result<Vec<String>, String> {
        let (entrypoint, command) = (words_of(self.entrypoint.as_ref())?, words_of(self.command.as_ref())?);
        let of_image = |path: &str| texts(image.and_then(|image| image.pointer(path)));
        let stated = entrypoint.is_some() || command.is_some();
        let mut wanted = entrypoint.clone().unwrap_or_else(|| of_image("/Config/Entrypoint"));
        let mut words = Vec::new();
        if let Some(mut all) = entrypoint {
            let first = if all.is_empty() { String::new() } else { all.remove(0) };
            rows.say("--entrypoint", &first);
            words = all;
        }
        words.extend(command.clone().unwrap_or_default());
        // An own program does not get the arguments of the image's.
        wanted.extend(match (command, self.entrypoint.is_some()) {
            (Some(command), _) => command,
            (None, true) => Vec::new(),
            (None, false) => of_image("/Config/Cmd"),
        });
        let mut have = texts(rows.at("/Config/Entrypoint"));
        have.extend(texts(rows.at("/Config/Cmd")));
        have.retain(|word| !word.is_empty());
        wanted.retain(|word| !word.is_empty());
        rows.ordered("command", stated, wanted, have);
        Ok(words)
    }

    fn others(&self, rows: &mut Rows<'_>) -> Result<(), String> {
        let policy = self.restart_policy.as_ref().map(restart_policy).transpose()?;
        let name = rows.at("/HostConfig/RestartPolicy/Name").and_then(Json::as_str).unwrap_or_default();
        let have = match rows.at("/HostConfig/RestartPolicy/MaximumRetryCount").and_then(Json::as_i64) {
            Some(count) if count > 0 => format!("{name}:{count}"),
            _ if name.is_empty() => "no".to_owned(),
            _ => name.to_owned(),
        };
        if let Some(policy) = &policy {
            rows.say("--restart", policy);
        }
        let wanted = policy.clone().unwrap_or_else(|| "no".to_owned());
        rows.row("restart_policy", policy.is_some(), wanted.into(), have.into());
        rows.switch("auto_remove", "--rm", "/HostConfig/AutoRemove", self.auto_remove);
        rows.switch("init", "--init", "/HostConfig/Init", self.init);
        rows.switch("tty", "--tty", "/Config/Tty", self.tty);
        rows.switch("interactive", "--interactive", "/Config/OpenStdin", self.interactive);
        if let Some(driver) = &self.log_driver {
            rows.text("log_driver", "--log-driver", "/HostConfig/LogConfig/Type", Some(driver), None);
        }
        let options = pairs("log_opt", &self.log_opt, '=')?;
        if !options.is_empty() {
            rows.pairs("log_opt", "--log-opt", "/HostConfig/LogConfig/Config", options);
        }
        let path = "/HostConfig/StorageOpt";
        rows.pairs("storage_opt", "--storage-opt", path, pairs("storage_opt", &self.storage_opt, '=')?);
        // What these are where nothing is said is the daemon's own matter.
        for (name, option, path, wanted) in [
            ("ipc_mode", "--ipc", "/HostConfig/IpcMode", &self.ipc_mode),
            ("pid_mode", "--pid", "/HostConfig/PidMode", &self.pid_mode),
            ("userns_mode", "--userns", "/HostConfig/UsernsMode", &self.userns_mode),
            ("cgroup_parent", "--cgroup-parent", "/HostConfig/CgroupParent", &self.cgroup_parent),
            ("isolation", "--isolation", "/HostConfig/Isolation", &self.isolation),
            ("runtime", "--runtime", "/HostConfig/Runtime", &self.runtime),
            ("stop_signal", "--stop-signal", "/Config/StopSignal", &self.stop_signal),
        ] {
            rows.text(name, option, path, wanted.as_deref(), None);
        }
        let timeout = self.stop_timeout.map(|Seconds(s)| super::client::whole_seconds(s) as i64);
        rows.number("stop_timeout", "--stop-timeout", "/Config/StopTimeout", timeout, None);
        Ok(())
    }
}
