//! Runs the real `zester` in trees made for a test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The binary of the profile these tests run in, built if it is missing or older than its sources.
///
/// # Panics
/// When it cannot be built.
pub fn zester() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // A series that takes an hour holds on to one binary while the tree is worked on.
        if let Some(path) = std::env::var_os("ZESTER_TESTED") {
            return path.into();
        }
        // target/<profile>/deps/<test>
        let test = std::env::current_exe().expect("a test knows where it is");
        let profile = test.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps");
        let name = match profile.file_name().and_then(|n| n.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo tells this test about itself would look like a change to build scripts.
        let own = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
        for (variable, _) in std::env::vars_os() {
            if own.iter().any(|prefix| variable.to_string_lossy().starts_with(prefix)) {
                cargo.env_remove(&variable);
            }
        }
        let status = cargo
            .args(["build", "--quiet", "--offline", "-p", "zester", "--profile", name])
            .current_dir(super::repository())
            .env("CARGO_TARGET_DIR", profile.parent().expect("a profile lies in a target directory"))
            .status()
            .expect("cargo can be started");
        assert!(status.success(), "zester cannot be built");
        profile.join("zester")
    })
}

/// A finished run of the command.
#[derive(Debug)]
pub struct Finished {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Of a process that has ended.
    pub(crate) fn of(output: Output) -> Self {
        let status = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {:?}", output.status));
        Self {
            status,
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// The JSON document on stdout.
    ///
    /// # Panics
    /// When stdout is not exactly one document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    /// Checks the exit status.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }
}

/// A project in a directory of its own, and room beside it for what its states make.
pub struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    /// A project of these files, by their paths in it. `ROOT` in a text stands for [`Scratch::root`].
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let scratch = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir_all(scratch.project()).expect("a directory");
        std::fs::create_dir_all(scratch.root()).expect("a directory");
        for (path, text) in files {
            scratch.write(path, text);
        }
        scratch
    }

    /// Writes a file of the project.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a directory");
        std::fs::write(path, text.replace("ROOT", &self.root().to_string_lossy())).expect("a file");
    }

    /// The project's directory.
    pub fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    /// Where its states may write.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// What a state has made; `None` when it is not there.
    pub fn made(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root().join(path)).ok()
    }

    /// The command with these arguments, in the project's directory.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(zester());
        command.args(args).current_dir(self.project()).env_remove("NO_COLOR").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Finished {
        Finished::of(self.command(args).output().expect("zester can be started"))
    }

    /// `zester apply`, after all other applies on this machine.
    #[track_caller]
    pub fn apply(&self, args: &[&str]) -> Finished {
        self.run(&[&["apply", "--wait"], args].concat())
    }

    /// Starts it; its outputs are kept.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, args: &[&str]) -> Started {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Started(child.expect("zester can be started"))
    }

    /// Waits until a state has made this file.
    ///
    /// # Panics
    /// When it is not there after a minute.
    pub fn await_file(&self, path: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.root().join(path).exists() {
            assert!(Instant::now() < end, "{path} is not made");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A running command.
pub struct Started(pub Child);

impl Started {
    /// Sends a signal by name.
    ///
    /// # Panics
    /// When that does not work.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(status.expect("kill can be started").success());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When a signal ended it.
    #[track_caller]
    pub fn finish(self) -> Finished {
        Finished::of(self.0.wait_with_output().expect("it can be waited for"))
    }
}
