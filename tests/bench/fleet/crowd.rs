//! Simulated peels in a process of their own, so that what masters take is seen apart. It says how many are current, a line each time.

use crate::Result;
use std::{
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use zester_executor::{auth::signed::Anchor, bus::BusOptions};
use zester_tests::{fleet::Fleet, simulated::Crowd};

/// The process, seen from outside.
pub struct Peels {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peels {
    /// Starts so many: `p-1`, …
    pub fn start(fleet: &Fleet, count: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["crowd", &fleet.server.url(), &serde_json::to_string(fleet.anchor())?, &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        Ok(Self { child, input, lines })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Waits until so many have told their facts and asked for what waits in this connection or a later one.
    pub async fn await_current(&mut self, session: u64, count: usize, patience: Duration) -> Result<()> {
        self.await_line(&format!("current {session} {count}"), patience).await
    }

    /// Lets all tell their facts again.
    pub async fn tell_facts(&mut self) -> Result<()> {
        Ok(self.input.write_all(b"facts\n").await?)
    }

    /// Waits until they have.
    pub async fn await_told(&mut self, count: usize, patience: Duration) -> Result<()> {
        self.await_line(&format!("told {count}"), patience).await
    }

    async fn await_line(&mut self, wanted: &str, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        let mut last = String::new();
        loop {
            let line = tokio::time::timeout_at(end.into(), self.lines.next_line())
                .await
                .map_err(|_| format!("the peels say `{last}`, not `{wanted}`"))??;
            last = line.ok_or("the peels have ended")?;
            if last == wanted {
                return Ok(());
            }
        }
    }

    /// Ends it.
    pub fn stop(mut self) {
        let _ = self.child.start_kill();
    }
}

/// The process itself.
pub async fn run(words: &[String]) -> Result<()> {
    let [url, anchor, count] = words else { return Err("crowd URL ANCHOR COUNT".into()) };
    let (anchor, count): (Anchor, usize) = (serde_json::from_str(anchor)?, count.parse()?);
    let facts = zester_stdlib::facts::collect_here(Some("p"));
    // Delays are the real ones.
    let options = |name: &str| BusOptions::new([url.clone()], name);
    let crowd = Crowd::start("p", count, &anchor, &facts, &options).await;
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut said = [0; 2];
    loop {
        for (at, session) in [1_u64, 2].into_iter().enumerate() {
            let now = crowd.current(session);
            if said[at] != now {
                said[at] = now;
                println!("current {session} {now}");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
            line = input.next_line() => match line?.as_deref() {
                Some("facts") => {
                    crowd.tell_facts().await;
                    println!("told {count}");
                }
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}
