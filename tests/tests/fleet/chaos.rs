//! Fleets of real processes whose parts are killed, stopped and brought back while jobs run; afterwards every promise is checked.
//!
//! `ZESTER_CHAOS_RUNS` says how many fleets, `ZESTER_CHAOS_SEED` where their seeds begin.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use zester_compiler::types::Value;
use zester_executor::{
    auth::installation::Access,
    bus::{
        Bus,
        id::{AdminId, JobId, PeelId},
    },
    job::message::{Call, Job, JobRecord, JobReturn, PeelStatus, Targets, VERSION},
    operator::{Operator, OperatorError},
    peel::now_ms,
};
use zester_tests::lab::Lab;

const MASTERS: u64 = 2;
const PEELS: u64 = 3;
/// Faults of a run.
const FAULTS: u64 = 6;
/// Fleets at a time.
const AT_ONCE: u64 = 3;
/// How long everything may take to be well again: adoption, reconnects and the outbox's pauses are in it.
const PATIENCE: Duration = Duration::from_secs(150);

/// A small generator: the same seed is the same run, as far as processes let it be.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

#[test]
fn promises_hold_while_parts_die() {
    let number = |name: &str, otherwise| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => otherwise,
    };
    let (runs, first) = (number("ZESTER_CHAOS_RUNS", 3_u64), number("ZESTER_CHAOS_SEED", 1));
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(runs) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs {
                        return;
                    }
                    run(seed);
                }
            });
        }
    });
}

fn run(seed: u64) {
    let lab = Lab::up(MASTERS as usize, PEELS as usize);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut trial = Trial { random: Random(seed), lab, log: Vec::new(), began: Instant::now() };
    if let Err(violation) = runtime.block_on(trial.run(seed)) {
        panic!("seed {seed}: {violation}\n{}\n{}", trial.log.join("\n"), trial.logs());
    }
    println!("{}", trial.log.last().map(String::as_str).unwrap_or_default());
}

struct Trial {
    random: Random,
    lab: Lab,
    log: Vec<String>,
    began: Instant,
}

/// A job that was asked for.
struct Asked {
    jid: JobId,
    peels: Vec<PeelId>,
    /// Ends when a master says that it has it.
    taken: tokio::task::JoinHandle<()>,
}

impl Trial {
    fn note(&mut self, text: String) {
        self.log.push(format!("{:6.2} s  {text}", self.began.elapsed().as_secs_f64()));
    }

    async fn operator(&self) -> Operator {
        let access = Access::load(&self.lab.directory().join("installation/admin")).unwrap();
        let bus = Bus::open(access.bus_options()).await.unwrap();
        bus.connected().await.unwrap();
        let name = AdminId::new(&access.claims.name).unwrap();
        Operator::new(bus, name, &access.credentials.seed, &access.credentials.jwt).unwrap()
    }

    async fn run(&mut self, seed: u64) -> Result<(), String> {
        let operator = self.operator().await;
        let marks = self.lab.scratch().join("marks");
        let mut asked = Vec::new();
        for _ in 0..FAULTS {
            for _ in 0..=self.random.below(2) {
                asked.push(self.ask(&operator, &marks));
            }
            tokio::time::sleep(self.random.millis(0, 300)).await;
            self.fault().await;
            tokio::time::sleep(self.random.millis(0, 700)).await;
        }
        // All is well again, and one more job shows it.
        self.lab.lab(&["up"]).exits(0);
        self.note("everything runs".to_owned());
        asked.push(self.ask(&operator, &marks));
        let last = asked.last().map(|a| a.jid.clone());
        let end = Instant::now() + PATIENCE;
        let mut done = 0;
        for Asked { jid, peels, taken } in &asked {
            loop {
                // Before the look: a record is stored before its master says so.
                let is_taken = taken.is_finished();
                match self.judge(&operator, jid, peels, &marks).await {
                    Ok(Judged::Settled(record)) => {
                        done += 1;
                        if Some(jid) == last.as_ref()
                            && record.counts.get(&PeelStatus::Done) != Some(&(peels.len() as u64))
                        {
                            return Err(format!("after everything is well: {record:?}"));
                        }
                        break;
                    }
                    Ok(Judged::Unknown) if is_taken => {
                        return Err(format!("a master has taken {jid}, and it is not recorded"));
                    }
                    Ok(Judged::Unknown) if Instant::now() > end => {
                        return Err(format!("no master takes {jid}"));
                    }
                    Err(Trouble::Violation(text)) => return Err(text),
                    Err(Trouble::NotYet(text)) if Instant::now() > end => {
                        return Err(format!("it never came to an end: {text}"));
                    }
                    _ => tokio::time::sleep(Duration::from_millis(250)).await,
                }
            }
        }
        self.note(format!("seed {seed}: {done} jobs settled"));
        operator.bus().drain().await;
        Ok(())
    }

    /// Sends a job that leaves a mark where it is executed; does not wait for an answer.
    fn ask(&mut self, operator: &Operator, marks: &std::path::Path) -> Asked {
        let peels: Vec<PeelId> = match self.random.below(3) {
            0 => vec![1 + self.random.below(PEELS)],
            _ => (1..=PEELS).collect(),
        }
        .into_iter()
        .map(|n| PeelId::new(&format!("web-{n}")).unwrap())
        .collect();
        let jid = JobId::generate();
        let pause = self.random.below(12) as f64 / 10.0;
        // The peel's command line has its name.
        let script = format!(
            "echo {jid} $(tr '\\0' ' ' < /proc/$PPID/cmdline) >> '{}'; sleep {pause}",
            marks.display()
        );
        let job = Job {
            v: VERSION,
            jid: jid.clone(),
            call: Call { function: "cmd.run".to_owned(), args: vec![Value::Str(script)], ..Call::default() },
            targets: Targets::of("*", peels.clone()),
            timeout_ms: 20_000,
            batch: None,
            created_ms: now_ms(),
            metadata: indexmap::IndexMap::new(),
        };
        self.note(format!("job {jid} for {} peels", peels.len()));
        let operator = operator.clone();
        let taken = tokio::spawn(async move {
            // An operator asks again when no answer comes: the same id is the same job.
            while operator.dispatch(job.clone()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Asked { jid, peels, taken }
    }

    async fn fault(&mut self) {
        let (master, peel) = (1 + self.random.below(MASTERS), 1 + self.random.below(PEELS));
        let part = match self.random.below(7) {
            0 | 1 | 5 => format!("master-{master}"),
            2 | 3 | 6 => format!("web-{peel}"),
            _ => "nats".to_owned(),
        };
        let (how, long) = (self.random.below(4), self.random.millis(50, 2_500));
        match how {
            0 | 1 => {
                self.note(format!("{part} is killed, for {long:?}"));
                // It may be dead already.
                let _ = self.lab.lab(&["kill", &part]);
                tokio::time::sleep(long).await;
                let _ = self.lab.lab(&["start", &part]);
            }
            2 => {
                self.note(format!("{part} is stopped, for {long:?}"));
                self.signal(&part, "STOP");
                tokio::time::sleep(long).await;
                self.signal(&part, "CONT");
            }
            _ => {
                self.note(format!("{part} stutters"));
                for _ in 0..10 {
                    self.signal(&part, "STOP");
                    tokio::time::sleep(Duration::from_millis(150)).await;
                    self.signal(&part, "CONT");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn signal(&self, part: &str, name: &str) {
        let status: serde_json::Value =
            serde_json::from_str(&self.lab.lab(&["status", "--output", "json"]).stdout).unwrap();
        if let Some(pid) = status["parts"][part].as_u64() {
            assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
        }
    }

    /// What is stored of a job, held against what happened.
    async fn judge(
        &self,
        operator: &Operator,
        jid: &JobId,
        peels: &[PeelId],
        marks: &std::path::Path,
    ) -> Result<Judged, Trouble> {
        let marks = executions(marks, jid);
        if let Some((peel, times)) = marks.iter().find(|(_, times)| **times > 1) {
            return Err(Trouble::Violation(format!("{jid} was executed {times} times on {peel}")));
        }
        let record = match operator.job(jid).await {
            Ok(record) => record,
            Err(OperatorError::NoJob(_)) if marks.is_empty() => return Ok(Judged::Unknown),
            Err(OperatorError::NoJob(_)) => {
                return Err(Trouble::Violation(format!("{jid} was executed and is not recorded: {marks:?}")));
            }
            Err(error) => return Err(Trouble::NotYet(error.to_string())),
        };
        if !record.status.is_final() {
            return Err(Trouble::NotYet(format!("the job goes on: {record:?}")));
        }
        let returns =
            operator.returns(jid, peels).await.map_err(|error| Trouble::NotYet(error.to_string()))?;
        for peel in peels {
            let ran = marks.get(peel.as_str()).copied().unwrap_or(0);
            match returns.get(peel) {
                None if ran > 0 => {
                    return Err(Trouble::NotYet(format!("{jid}: {peel} ran it and has no return")));
                }
                Some(result) if result.status == PeelStatus::Done && ran != 1 => {
                    return Err(Trouble::Violation(format!(
                        "{jid}: {peel} is done without an execution: {result:?}"
                    )));
                }
                Some(result) if result.status == PeelStatus::Expired && ran != 0 => {
                    return Err(Trouble::Violation(format!(
                        "{jid}: {peel} refused it and ran it: {result:?}"
                    )));
                }
                _ => {}
            }
        }
        consistent(&record, peels, &returns)?;
        Ok(Judged::Settled(Box::new(record)))
    }

    /// What the parts have logged.
    fn logs(&self) -> String {
        let mut text = String::new();
        let parts =
            (1..=MASTERS).map(|n| format!("master-{n}")).chain((1..=PEELS).map(|n| format!("web-{n}")));
        for part in parts {
            let path: PathBuf = self.lab.directory().join(format!("{part}.log"));
            let log = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            text.push_str(&format!("--- {part}\n{}\n", lines[lines.len().saturating_sub(60)..].join("\n")));
        }
        text
    }
}

enum Judged {
    /// It has ended, and all that is known of it agrees.
    Settled(Box<JobRecord>),
    /// Nobody has ever heard of it.
    Unknown,
}

enum Trouble {
    /// A promise is broken.
    Violation(String),
    /// It may still come to an end.
    NotYet(String),
}

/// The record counts every peel once, and says what the stored returns say.
fn consistent(
    record: &JobRecord,
    peels: &[PeelId],
    returns: &BTreeMap<PeelId, JobReturn>,
) -> Result<(), Trouble> {
    let counted: u64 = record.counts.values().sum();
    if counted != peels.len() as u64 {
        return Err(Trouble::Violation(format!(
            "{counted} of {} peels are counted: {record:?}",
            peels.len()
        )));
    }
    let mut stored: HashMap<PeelStatus, u64> = HashMap::new();
    for result in returns.values() {
        *stored.entry(result.status).or_default() += 1;
    }
    for (status, count) in stored {
        let said = record.counts.get(&status).copied().unwrap_or(0);
        // Late returns correct it.
        if said < count {
            return Err(Trouble::NotYet(format!(
                "{count} returns say {status:?}, the record says {said}: {record:?}"
            )));
        }
    }
    Ok(())
}

/// How often each peel has executed a job.
fn executions(marks: &std::path::Path, jid: &JobId) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(marks).unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some(jid.as_str())
            && let Some(peel) = words.skip_while(|w| *w != "--id").nth(1)
        {
            *found.entry(peel.to_owned()).or_default() += 1;
        }
    }
    found
}
