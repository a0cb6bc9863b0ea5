//! Running real programs: their own process group, a clean environment, bounded output, an end in time.

use super::{Command, Commands, Output, Program};
use crate::Cancel;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::Timespec,
    process::{Pid, PidfdFlags, Signal, geteuid, kill_process_group, pidfd_open},
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

/// The programs of this machine.
#[derive(Default)]
pub struct Processes;

/// Longest time a program may take unless it is told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long a program may go on after a cancellation: the running state is finished, a hanging one is not waited for.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// Between the polite and the hard end.
const KILL_GRACE: Duration = Duration::from_secs(3);

/// How long outputs are waited for after the program's end: a daemon that it left behind may hold them open for ever.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// Where programs are looked for besides the process's own `PATH`.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Processes {
    /// The programs of this machine.
    pub fn new() -> Self {
        Self
    }
}

/// The search path: the process's own, with the system's directories behind it.
fn search_path() -> String {
    let own = std::env::var("PATH").unwrap_or_default();
    let mut dirs: Vec<&str> = own.split(':').filter(|d| d.starts_with('/')).collect();
    for dir in SYSTEM_PATH.split(':') {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs.join(":")
}

fn find_in(path: &str, program: &str) -> Option<String> {
    if program.contains('/') {
        return is_program(program).then(|| program.to_owned());
    }
    path.split(':').map(|dir| format!("{dir}/{program}")).find(|full| is_program(full))
}

fn is_program(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// What the system knows about the user a program runs as.
struct Account {
    name: String,
    uid: u32,
    home: String,
    shell: String,
}

impl Account {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let [name, _, uid, _, _, home, shell] = fields.as_slice() else { return None };
        Some(Self {
            name: (*name).to_owned(),
            uid: uid.parse().ok()?,
            home: (*home).to_owned(),
            shell: (*shell).to_owned(),
        })
    }

    /// By name or number, from the system's file, else from its name service.
    fn of(user: &str) -> io::Result<Self> {
        let matches = |account: &Self| account.name == user || user.parse() == Ok(account.uid);
        let file = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        if let Some(account) = file.lines().filter_map(Self::parse).find(matches) {
            return Ok(account);
        }
        let asked = std::process::Command::new("getent").args(["passwd", user]).stdin(Stdio::null()).output();
        asked
            .ok()
            .and_then(|out| Self::parse(&String::from_utf8_lossy(&out.stdout)))
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no user `{user}`")))
    }
}

/// A program and its arguments, as they are executed.
struct Line(Vec<String>);

impl Line {
    fn of(program: &Program) -> Self {
        Self(match program {
            Program::Direct(program, args) => std::iter::once(program).chain(args).cloned().collect(),
            Program::Shell { shell, line } => vec![shell.clone(), "-c".to_owned(), line.clone()],
        })
    }

    fn behind(self, prefix: &[&str]) -> Self {
        Self(prefix.iter().map(|s| (*s).to_owned()).chain(self.0).collect())
    }

    /// Sets the umask. A shell does it, since nothing may run between fork and exec without unsafe code; the
    /// program and its arguments are the shell's positional parameters and never read by it.
    fn with_umask(self, umask: u32) -> Self {
        let script = format!("umask {:04o} && exec \"$@\"", umask & 0o777);
        self.behind(&["/bin/sh", "-c", &script, "sh"])
    }

    /// Becomes another user, with that user's groups. `setpriv` replaces itself by the program and opens no
    /// session; BusyBox's cannot change users, so there `su` has to do.
    fn run_by(self, path: &str, user: &str, group: Option<&str>) -> io::Result<Self> {
        let real = |name: &str| {
            find_in(path, name).filter(|p| std::fs::canonicalize(p).is_ok_and(|p| !p.ends_with("busybox")))
        };
        if let Some(setpriv) = real("setpriv") {
            let group =
                group.map_or_else(|| format!("--regid={}", primary_group(user)), |g| format!("--regid={g}"));
            return Ok(self.behind(&[&setpriv, &format!("--reuid={user}"), &group, "--init-groups", "--"]));
        }
        if let Some(runuser) = real("runuser") {
            return Ok(match group {
                Some(group) => self.behind(&[&runuser, "-u", user, "-g", group, "--"]),
                None => self.behind(&[&runuser, "-u", user, "--"]),
            });
        }
        if group.is_none()
            && let Some(su) = find_in(path, "su")
        {
            return Ok(self.behind(&[&su, "-s", "/bin/sh", "-c", "exec \"$0\" \"$@\"", user, "--"]));
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "running as another user needs `setpriv`, `runuser` or `su`; none of them is installed",
        ))
    }
}

/// The number of a user's primary group; `setpriv` wants it said.
fn primary_group(user: &str) -> String {
    let file = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let from = |text: &str| {
        text.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&user) || fields.get(2) == Some(&user))
                .then(|| fields.get(3).map(|g| (*g).to_owned()))?
        })
    };
    from(&file)
        .or_else(|| {
            let out = std::process::Command::new("getent")
                .args(["passwd", user])
                .stdin(Stdio::null())
                .output()
                .ok()?;
            from(&String::from_utf8_lossy(&out.stdout))
        })
        .unwrap_or_else(|| user.to_owned())
}

/// An output: its head and its tail are kept, what lies between is counted.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        let tail_limit = limit / 4;
        let room = (limit - tail_limit).saturating_sub(self.head.len());
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(tail_limit);
        self.tail.drain(..excess);
        self.left_out += excess as u64;
    }

    fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.left_out == 0 {
            return String::from_utf8_lossy(&[self.head.as_slice(), &tail].concat()).into_owned();
        }
        format!(
            "{}\n[… {} bytes left out …]\n{}",
            String::from_utf8_lossy(&self.head),
            self.left_out,
            String::from_utf8_lossy(&tail)
        )
    }
}

fn drain(mut from: impl Read + Send + 'static, limit: usize, done: mpsc::Sender<()>) -> Arc<Mutex<Kept>> {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let shared = kept.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0_u8; 16_384];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    let bytes = buffer.get(..n).unwrap_or_default();
                    shared.lock().unwrap_or_else(PoisonError::into_inner).push(bytes, limit);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // Nobody waits any longer when the time to drain is over.
        let _ = done.send(());
    });
    kept
}

/// Waits until the child has ended, at most for `time`. Whether it has.
fn ended_within(child: &mut Child, pidfd: Option<&std::os::fd::OwnedFd>, time: Duration) -> io::Result<bool> {
    let until = Instant::now() + time;
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        match pidfd {
            Some(fd) => {
                let timeout =
                    Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
                // An interruption is no end; the loop looks again.
                let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
            }
            None => std::thread::sleep(left.min(Duration::from_millis(10))),
        }
    }
}

fn end_group(child: &mut Child, pidfd: Option<&std::os::fd::OwnedFd>) -> io::Result<()> {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return Ok(()) };
    // The group may be gone already; then there is nothing to end.
    let _ = kill_process_group(group, Signal::TERM);
    let _ = ended_within(child, pidfd, KILL_GRACE)?;
    // Children that ignored the first signal are ended with the group.
    let _ = kill_process_group(group, Signal::KILL);
    child.wait()?;
    Ok(())
}

fn prepare(command: &Command) -> io::Result<std::process::Command> {
    let path = search_path();
    let mut line = Line::of(&command.program);
    if let Some(umask) = command.umask {
        line = line.with_umask(umask);
    }
    let account = command.runas.as_deref().map(Account::of).transpose()?;
    let other = account.as_ref().filter(|a| a.uid != geteuid().as_raw() || command.group.is_some());
    if let Some(account) = other {
        line = line.run_by(&path, &account.name, command.group.as_deref())?;
    } else if let Some(group) = &command.group {
        let own = geteuid().as_raw().to_string();
        line = line.run_by(&path, &Account::of(&own)?.name, Some(group))?;
    }
    let Some((program, args)) = line.0.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no program to run"));
    };
    let lookup = command
        .env
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .and_then(|(_, value)| value.clone())
        .unwrap_or_else(|| path.clone());
    let program = find_in(&lookup, program).ok_or_else(|| {
        let kind = if std::fs::metadata(program).is_ok() {
            io::ErrorKind::PermissionDenied
        } else {
            io::ErrorKind::NotFound
        };
        let why = if kind == io::ErrorKind::PermissionDenied {
            "is not an executable file"
        } else {
            "does not exist"
        };
        io::Error::new(kind, format!("the program `{program}` {why}"))
    })?;
    let mut run = std::process::Command::new(program);
    run.args(args).env_clear().env("PATH", &path).env("LC_ALL", "C.UTF-8").env("LANG", "C.UTF-8");
    match &account {
        Some(account) => {
            run.env("HOME", &account.home).env("USER", &account.name).env("LOGNAME", &account.name);
            run.env("SHELL", &account.shell);
        }
        None => {
            run.env("HOME", std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned()));
            run.env("USER", std::env::var("USER").unwrap_or_else(|_| "root".to_owned()));
            run.env("LOGNAME", std::env::var("LOGNAME").unwrap_or_else(|_| "root".to_owned()));
            run.env("SHELL", "/bin/sh");
        }
    }
    for (name, value) in &command.env {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    let home = account.map(|a| a.home).filter(|h| std::path::Path::new(h).is_dir());
    let cwd = command.cwd.clone().or(home).unwrap_or_else(|| "/".to_owned());
    if !std::path::Path::new(&cwd).is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("the directory `{cwd}` does not exist")));
    }
    run.current_dir(cwd).process_group(0);
    run.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    run.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(run)
}

/// A file that was written a moment ago may still be open for writing in a child another thread has just forked;
/// the system then says "text file busy". It passes.
fn spawn(mut run: std::process::Command) -> io::Result<Child> {
    for _ in 0..20 {
        match run.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
    run.spawn()
}

impl Commands for Processes {
    fn run(&self, command: &Command, cancel: &Cancel) -> io::Result<Output> {
        if cancel.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was cancelled"));
        }
        let mut child = spawn(prepare(command)?)?;
        let pid = child.id();
        let pidfd = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let (done, drained) = mpsc::channel();
        let stdout = child.stdout.take().map(|out| drain(out, command.output_limit, done.clone()));
        let stderr = child.stderr.take().map(|err| drain(err, command.output_limit, done.clone()));
        drop(done);
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), command.stdin.clone()) {
            // A program may end without reading all of it.
            std::thread::spawn(move || pipe.write_all(&input));
        }
        let started = Instant::now();
        let timeout =
            command.timeout.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(DEFAULT_TIMEOUT);
        let mut cancelled_at = None;
        let mut timed_out = false;
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            if ended_within(&mut child, pidfd.as_ref(), left.min(Duration::from_millis(100)))? {
                break;
            }
            if cancel.is_cancelled() {
                let since: &Instant = cancelled_at.get_or_insert_with(Instant::now);
                if since.elapsed() >= CANCEL_GRACE {
                    end_group(&mut child, pidfd.as_ref())?;
                    break;
                }
            }
            if started.elapsed() >= timeout {
                timed_out = true;
                end_group(&mut child, pidfd.as_ref())?;
                break;
            }
        }
        let status = child.wait()?;
        let until = Instant::now() + DRAIN_GRACE;
        // Each reader sends once; an error means that both have ended.
        for _ in 0..2 {
            if drained.recv_timeout(until.saturating_duration_since(Instant::now())).is_err() {
                break;
            }
        }
        let text = |kept: Option<Arc<Mutex<Kept>>>| {
            kept.map(|k| k.lock().unwrap_or_else(PoisonError::into_inner).text()).unwrap_or_default()
        };
        Ok(Output {
            status: status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(-1),
            stdout: text(stdout),
            stderr: text(stderr),
            timed_out,
            pid,
        })
    }

    fn start(&self, command: &Command) -> io::Result<u32> {
        let mut run = prepare(command)?;
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = spawn(run)?;
        let pid = child.id();
        // Somebody must take its status, or it stays a zombie for as long as this process lives.
        std::thread::spawn(move || child.wait());
        Ok(pid)
    }

    fn find(&self, program: &str) -> Option<String> {
        find_in(&search_path(), program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &Command) -> Output {
        Processes.run(command, &Cancel::default()).unwrap()
    }

    #[test]
    fn outputs_and_status_are_apart() {
        let out = run(&Command::shell("echo out; echo err >&2; exit 3"));
        assert_eq!((out.status, out.stdout.as_str(), out.stderr.as_str()), (3, "out\n", "err\n"));
    }

    #[test]
    fn the_environment_is_clean() {
        let out = run(&Command::new::<&str>("env", []));
        assert!(out.stdout.contains("LC_ALL=C.UTF-8") && !out.stdout.contains("CARGO"), "{}", out.stdout);
    }

    #[test]
    fn a_timeout_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("alive");
        let mut command = Command::shell(format!("(sleep 1; touch {}) & sleep 60", file.display()));
        command.timeout = Some(0.2);
        let out = run(&command);
        assert!(out.timed_out && !out.success());
        std::thread::sleep(Duration::from_millis(1200));
        assert!(!file.exists(), "the child of the shell lived on");
    }

    #[test]
    fn a_daemon_that_keeps_the_pipe_open_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ended");
        let out = run(&Command::shell(format!("(sleep 5; touch {}) & echo started", file.display())));
        assert_eq!(out.stdout, "started\n");
        assert!(!file.exists(), "the daemon's end was waited for");
    }

    #[test]
    fn head_and_tail_of_a_long_output_are_kept() {
        let mut command = Command::shell("echo first; yes | head -c 1000000; echo last");
        command.output_limit = 4096;
        let out = run(&command);
        assert!(out.stdout.starts_with("first\n") && out.stdout.ends_with("last\n"));
        assert!(out.stdout.len() < 5000 && out.stdout.contains("bytes left out"));
    }

    #[test]
    fn a_signal_is_seen_in_the_status() {
        assert_eq!(run(&Command::shell("kill -9 $$")).status, 137);
    }

    #[test]
    fn the_umask_is_set_without_reading_the_arguments() {
        let mut command = Command::new("sh", ["-c", "umask; echo \"$1\"", "sh", "$(echo no); `id`"]);
        command.umask = Some(0o027);
        assert_eq!(run(&command).stdout, "0027\n$(echo no); `id`\n");
    }

    #[test]
    fn another_user_with_the_users_own_groups() {
        if !geteuid().is_root() {
            println!("skipped: needs root");
            return;
        }
        let mut command = Command::shell("id -un; pwd; echo $HOME");
        command.runas = Some("nobody".to_owned());
        let out = run(&command);
        assert!(out.stdout.starts_with("nobody\n"), "{out:?}");
    }

    #[test]
    fn what_cannot_start_says_why() {
        let error =
            Processes.run(&Command::new::<&str>("no-such-program", []), &Cancel::default()).unwrap_err();
        assert_eq!(error.to_string(), "the program `no-such-program` does not exist");
        let mut command = Command::shell("true");
        command.cwd = Some("/no/such/dir".to_owned());
        let error = Processes.run(&command, &Cancel::default()).unwrap_err();
        assert_eq!(error.to_string(), "the directory `/no/such/dir` does not exist");
        command.cwd = None;
        command.runas = Some("no-such-user".to_owned());
        let error = Processes.run(&command, &Cancel::default()).unwrap_err();
        assert_eq!(error.to_string(), "there is no user `no-such-user`");
    }

    #[test]
    fn input_reaches_the_program() {
        let mut command = Command::new::<&str>("cat", []);
        command.stdin = Some(b"hello".to_vec());
        assert_eq!(run(&command).stdout, "hello");
    }
}
