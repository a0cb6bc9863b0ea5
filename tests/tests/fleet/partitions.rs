//! Parts that are alive and cannot reach NATS for a while: peels, masters, both. Nothing runs twice, nothing is lost.

use std::{path::PathBuf, time::Duration};
use zester_executor::{
    bus::id::JobId,
    job::message::{Job, JobStatus, PeelStatus},
    master::{Master, MasterOptions},
    operator::Operator,
    peel::Peel,
};
use zester_tests::{
    fleet::{Fleet, await_peels, job},
    link::Link,
};

/// A fleet with a link for a peel and one for a master.
struct Cut {
    fleet: Fleet,
    operator: Operator,
    peel_link: Link,
    master_link: Link,
    /// Commands of the tests append a line each.
    runs: PathBuf,
}

impl Cut {
    async fn new() -> Self {
        let fleet = Fleet::start().await;
        let port = fleet.server.port();
        let (peel_link, master_link) = tokio::join!(Link::to(port), Link::to(port));
        let operator = fleet.operator().await;
        let runs = fleet.directory.path().join("runs");
        Self { fleet, operator, peel_link, master_link, runs }
    }

    /// A peel behind its link, which notices quickly that nobody answers.
    async fn peel(&self, name: &str) -> Peel {
        let mut options = self.fleet.peel_options(name);
        options.bus.servers = vec![self.peel_link.url()];
        options.bus.ping_interval = Duration::from_secs(1);
        Peel::start(options).await.expect("a peel")
    }

    fn master_options(&self) -> MasterOptions {
        let mut options = self.fleet.master_options();
        for bus in [&mut options.responder, &mut options.dispatcher] {
            bus.servers = vec![self.master_link.url()];
            bus.ping_interval = Duration::from_secs(1);
        }
        options.heartbeat = Duration::from_secs(2);
        options
    }

    /// A job whose command says that it began, takes its time, and says that it ended.
    async fn job(&self, seconds: u32, timeout: Duration) -> Job {
        let runs = self.runs.display();
        let command = format!("echo begin >> {runs}; sleep {seconds}; echo end >> {runs}");
        let mut job = job(&self.operator, "*", "cmd.run", &[&command]).await;
        job.timeout_ms = timeout.as_millis() as u64;
        job
    }

    fn lines(&self, word: &str) -> usize {
        std::fs::read_to_string(&self.runs).map_or(0, |text| text.lines().filter(|l| *l == word).count())
    }

    async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        for _ in 0..600 {
            if is(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not within 30 s: {what}");
    }

    /// Waits until the record says that the job is complete, and gives the status of each peel.
    async fn complete(&self, jid: &JobId) -> Vec<PeelStatus> {
        let mut last = None;
        for _ in 0..600 {
            let record = self.operator.job(jid).await;
            if record.as_ref().is_ok_and(|r| r.status == JobStatus::Complete) {
                let report = self.operator.report(jid).await.expect("a report");
                return report.peels.into_values().map(|(status, _)| status).collect();
            }
            last = Some(record);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the job is not complete after 60 s: {last:?}\n{}", self.fleet.server.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peel_cut_off_while_it_works_returns_when_it_can() {
    let cut = Cut::new().await;
    let _master: Master = cut.fleet.master().await;
    let _peel = cut.peel("web-1").await;
    await_peels(&cut.operator, 1).await;
    let job = cut.job(1, Duration::from_secs(4)).await;
    let jid = job.jid.clone();
    let run = cut.operator.run(job, |_| {});
    let cable = async {
        cut.until("the command begins", |c| c.lines("begin") == 1).await;
        cut.peel_link.cut();
    };
    let (report, ()) = tokio::join!(run, cable);
    // It was heard, and nobody knows more.
    let report = report.unwrap();
    assert_eq!(report.record.status, JobStatus::Timeout, "{report:?}");
    cut.until("the command ends by itself", |c| c.lines("end") == 1).await;
    cut.peel_link.mend();
    assert_eq!(cut.complete(&jid).await, [PeelStatus::Done]);
    assert_eq!((cut.lines("begin"), cut.lines("end")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_for_a_peel_that_is_cut_off_waits_for_it() {
    let cut = Cut::new().await;
    let _master = cut.fleet.master().await;
    let _peel = cut.peel("web-1").await;
    await_peels(&cut.operator, 1).await;
    let job = cut.job(0, Duration::from_secs(60)).await;
    let jid = job.jid.clone();
    cut.peel_link.cut();
    let report = cut.operator.run(job, |_| {}).await.unwrap();
    assert_eq!(report.record.status, JobStatus::Timeout, "{report:?}");
    assert_eq!(cut.lines("begin"), 0);
    cut.peel_link.mend();
    assert_eq!(cut.complete(&jid).await, [PeelStatus::Done]);
    assert_eq!((cut.lines("begin"), cut.lines("end")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_master_that_is_cut_off_owns_is_adopted_and_stays_so() {
    let cut = Cut::new().await;
    let _peel = cut.fleet.peel("web-1").await;
    // The one behind the link is alone at first, so the job is its own.
    let options = cut.master_options();
    let first = options.id.clone();
    let _first = Box::pin(Master::start(options)).await.expect("a master");
    await_peels(&cut.operator, 1).await;
    let job = cut.job(3, Duration::from_secs(60)).await;
    let jid = job.jid.clone();
    let mut options = cut.fleet.master_options();
    options.heartbeat = Duration::from_secs(2);
    let second = options.id.clone();
    let run = cut.operator.run(job, |_| {});
    let cable = async {
        cut.until("the command begins", |c| c.lines("begin") == 1).await;
        cut.master_link.cut();
        let second = Box::pin(Master::start(options)).await.expect("a master");
        // Long enough for the other to be sure; the first one learns of it only then.
        tokio::time::sleep(Duration::from_secs(25)).await;
        cut.master_link.mend();
        second
    };
    let (report, _second) = tokio::join!(run, cable);
    let report = report.unwrap();
    assert_eq!(report.record.status, JobStatus::Complete, "{report:?}");
    assert_eq!(cut.complete(&jid).await, [PeelStatus::Done]);
    let record = cut.operator.job(&jid).await.unwrap();
    assert_eq!(record.owner.as_ref(), Some(&second), "the first was {first}: {record:?}");
    // The first one has come back, and has had time to do harm.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(cut.operator.job(&jid).await.unwrap(), record);
    assert_eq!((cut.lines("begin"), cut.lines("end")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_cuts_on_both_sides_are_not_noticed() {
    let cut = Cut::new().await;
    let _peel = cut.peel("web-1").await;
    let _master = Box::pin(Master::start(cut.master_options())).await.expect("a master");
    await_peels(&cut.operator, 1).await;
    for _ in 0..3 {
        let job = cut.job(1, Duration::from_secs(60)).await;
        let cables = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            tokio::join!(
                cut.master_link.cut_for(Duration::from_millis(700)),
                cut.peel_link.cut_for(Duration::from_millis(1_500))
            )
        };
        let (report, _) = tokio::join!(cut.operator.run(job, |_| {}), cables);
        let report = report.unwrap();
        assert_eq!(report.record.status, JobStatus::Complete, "{report:?}");
    }
    assert_eq!((cut.lines("begin"), cut.lines("end")), (3, 3));
}
