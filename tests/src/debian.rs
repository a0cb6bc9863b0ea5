//! Programs of Debian's packages for tests: unpacked below `target/`, so that nothing is installed on the machine that tests run on.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};
use zester_stdlib::{
    Cancel,
    provider::{Command as Run, Commands, Output as Ran, Processes, Program},
};

/// Unpacked packages and all that they need beyond what the machine has.
#[derive(Clone, Debug)]
pub struct Unpacked {
    root: PathBuf,
}

fn finished(command: &mut Command) -> Result<Output, String> {
    let output =
        command.stdin(std::process::Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", command.get_program().display(), words.lines().last().unwrap_or("it failed")))
}

impl Unpacked {
    /// Gets packages with the machine's own `apt-get`, once. The error says why there are none.
    pub fn of(packages: &[&str]) -> Result<Self, String> {
        if !Path::new("/etc/debian_version").exists() {
            return Err("not a Debian-like system".to_owned());
        }
        let target = crate::repository().join("target").join("test-packages");
        let text = |e: io::Error| format!("{}: {e}", target.display());
        fs::create_dir_all(&target).map_err(text)?;
        let target = target.canonicalize().map_err(text)?;
        let name = packages.join("+");
        let lock = File::create(target.join(format!("{name}.lock"))).map_err(text)?;
        lock.lock().map_err(text)?;
        let root = target.join(&name);
        if target.join(format!("{name}.done")).exists() {
            return Ok(Self { root });
        }
        let archives = target.join(format!("{name}.archives"));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(archives.join("partial")).map_err(text)?;
        fs::create_dir_all(&root).map_err(text)?;
        finished(
            Command::new("apt-get")
                .args(["--yes", "--download-only", "--no-install-recommends", "-o", "Debug::NoLocking=1"])
                .args(["-o", "APT::Sandbox::User=root", "-o"])
                .arg(format!("Dir::Cache::archives={}", archives.display()))
                .arg("install")
                .args(packages),
        )?;
        for entry in fs::read_dir(&archives).map_err(text)? {
            let path = entry.map_err(text)?.path();
            if path.extension().is_some_and(|ending| ending == "deb") {
                finished(Command::new("dpkg-deb").arg("--extract").args([&path, &root]))?;
            }
        }
        let _ = fs::remove_dir_all(&archives);
        fs::write(target.join(format!("{name}.done")), "").map_err(text)?;
        Ok(Self { root })
    }

    /// A path below the unpacked root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Where a program lies, if the packages have it.
    pub fn program(&self, program: &str) -> Option<PathBuf> {
        ["usr/sbin", "usr/bin", "sbin", "bin"]
            .iter()
            .map(|directory| self.root.join(directory).join(program))
            .find(|path| path.is_file())
    }

    /// Directories of its libraries, as the dynamic linker wants them.
    pub fn libraries(&self) -> String {
        let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
        let all = ["usr/lib", "lib"].map(|base| self.root.join(base).join(&multiarch).display().to_string());
        all.join(":")
    }

    /// The machine's programs, and these before them.
    pub fn commands(&self) -> Arc<dyn Commands> {
        Arc::new(Within { unpacked: self.clone(), processes: Processes::new() })
    }
}

struct Within {
    unpacked: Unpacked,
    processes: Processes,
}

impl Within {
    fn inside(&self, command: &Run) -> Run {
        let mut command = command.clone();
        if let Program::Direct(program, _) = &mut command.program
            && let Some(path) = self.unpacked.program(program)
        {
            *program = path.display().to_string();
            command.env.push(("LD_LIBRARY_PATH".to_owned(), Some(self.unpacked.libraries())));
        }
        command
    }
}

impl Commands for Within {
    fn run(&self, command: &Run, cancel: &Cancel) -> io::Result<Ran> {
        self.processes.run(&self.inside(command), cancel)
    }

    fn start(&self, command: &Run) -> io::Result<u32> {
        self.processes.start(&self.inside(command))
    }

    fn find(&self, program: &str) -> Option<String> {
        let own = self.unpacked.program(program).map(|path| path.display().to_string());
        own.or_else(|| self.processes.find(program))
    }
}
