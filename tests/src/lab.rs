//! A fleet of real processes, as `zester lab` makes it: a nats-server with TLS and tokens, masters and peels.

use crate::{
    command::{Finished, zester},
    nats,
};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running lab; its end ends all its processes.
pub struct Lab {
    scratch: tempfile::TempDir,
}

impl Lab {
    /// Brings one up.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn up(masters: usize, peels: usize) -> Self {
        Self::up_with(&["--masters", &masters.to_string(), "--peels", &peels.to_string()])
    }

    /// Brings one up with these options.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn up_with(options: &[&str]) -> Self {
        let lab = Self { scratch: tempfile::tempdir().expect("a directory") };
        lab.lab(&[&["up"], options].concat()).exits(0);
        lab
    }

    /// Room for the test beside the lab.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The lab's directory.
    pub fn directory(&self) -> PathBuf {
        self.scratch.path().join("lab")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(zester());
        command.arg("lab").arg("--dir").arg(self.directory()).current_dir(self.scratch.path());
        command.env("NATS_SERVER", nats::nats_server()).stdin(Stdio::null());
        command
    }

    /// `zester lab …`
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn lab(&self, words: &[&str]) -> Finished {
        Finished::of(self.command().args(words).output().expect("zester can be started"))
    }

    /// `zester …` as the lab's operator.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Finished {
        self.lab(&[&["exec", "--"], words].concat())
    }

    /// Starts `zester …` as the lab's operator, and does not wait for its end; what it says is for the caller to read.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, words: &[&str]) -> Child {
        let mut command = self.command();
        command.args(["exec", "--"]).args(words).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("zester can be started")
    }

    /// Starts a peel of its own that asks to be `id`; its log is in the file that is given back with it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn stranger(&self, id: &str, options: &[&str]) -> Stranger {
        self.begin(id, id, options)
    }

    /// The same in a directory of another name: a copy of a machine.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn stranger_in(&self, directory: &str, id: &str) -> Stranger {
        self.begin(directory, id, &[])
    }

    fn begin(&self, directory: &str, id: &str, options: &[&str]) -> Stranger {
        let (directory, log) =
            (self.scratch().join(directory), self.scratch().join(format!("{directory}.log")));
        let file = std::fs::File::create(&log).expect("a file");
        let mut command = self.command();
        command.args(["exec", "--", "peel", "run", "--id", id, "--directory"]).arg(&directory);
        command.arg("--lock").arg(directory.join("apply.lock")).args(["--health", "none"]).args(options);
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("zester can be started");
        Stranger { child, log }
    }

    /// Writes a file of the project `tree` in the scratch directory.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.scratch().join("tree").join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a directory");
        // At once: a master that watches the tree must not see half a file.
        let whole = self.scratch().join("written");
        std::fs::write(&whole, text).expect("a file");
        std::fs::rename(whole, path).expect("a file");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.command().arg("down").output();
    }
}

/// A peel that is not one of the lab's.
pub struct Stranger {
    child: Child,
    log: PathBuf,
}

impl Stranger {
    /// What it has said.
    ///
    /// # Panics
    /// When its log cannot be read.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }

    /// Waits until it says something.
    ///
    /// # Panics
    /// When it does not within a minute.
    #[track_caller]
    pub fn says(&self, words: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.said().contains(words) {
            assert!(Instant::now() < end, "it never says `{words}`:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
///
/// # Panics
/// When it does not within a minute.
#[track_caller]
pub fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "it never came to: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
