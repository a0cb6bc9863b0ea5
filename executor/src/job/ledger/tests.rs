//! The ledger judged case by case. Whole histories are in the simulation.

use super::*;
use crate::bus::id::MasterId;

const NOW: u64 = 1_000_000;

fn ledger() -> Ledger {
    Ledger::new(PeelId::new("web-1").unwrap())
}

fn request(jid: &str, epoch: u64, master: &str) -> ExecRequest {
    ExecRequest {
        v: VERSION,
        incarnation: "one".into(),
        epoch,
        master: MasterId::new(master).unwrap(),
        jid: JobId::new(jid).unwrap(),
        targets: vec![PeelId::new("web-1").unwrap()],
        verb: ExecVerb::Run { call: Call { function: "test.ping".into(), ..Call::default() }, tree: None },
        not_before_ms: NOW,
        expires_ms: NOW + 60_000,
        nonce: "n".into(),
    }
}

fn cancel(jid: &str) -> ExecRequest {
    ExecRequest { verb: ExecVerb::Cancel, targets: Vec::new(), ..request(jid, 1, "m") }
}

/// Offers and applies; the jobs that wait then.
fn take(ledger: &mut Ledger, request: &ExecRequest, now: u64) -> Verdict {
    let verdict = ledger.offer(request, now);
    let records = match &verdict {
        Verdict::Accept(record) => vec![record.clone()],
        Verdict::Refuse(records) | Verdict::Cancel { records, .. } => records.clone(),
        Verdict::Again(record) => record.iter().cloned().collect(),
        Verdict::Drop(_) => Vec::new(),
    };
    for r in &records {
        ledger.apply(r);
    }
    verdict
}

fn statuses(ledger: &Ledger) -> Vec<PeelStatus> {
    ledger.unstored().map(|(_, r)| r.status).collect()
}

#[test]
fn a_job_runs_once() {
    let mut ledger = ledger();
    assert!(matches!(take(&mut ledger, &request("a", 1, "m"), NOW), Verdict::Accept(_)));
    assert!(matches!(take(&mut ledger, &request("a", 1, "m"), NOW), Verdict::Again(None)));
    let jid = JobId::new("a").unwrap();
    let begin = ledger.begin(&jid, NOW).unwrap().unwrap();
    ledger.apply(&begin);
    assert!(ledger.begin(&jid, NOW).is_none());
    assert!(matches!(take(&mut ledger, &request("a", 2, "n"), NOW), Verdict::Again(Some(_))));
    assert_eq!(ledger.epoch(&jid), Some(2));
    assert_eq!(ledger.waiting().count(), 0);
}

#[test]
fn stale_and_rival_masters_are_refused() {
    let mut ledger = ledger();
    take(&mut ledger, &request("a", 2, "m"), NOW);
    assert!(matches!(ledger.offer(&request("a", 1, "m"), NOW), Verdict::Drop(_)));
    assert!(matches!(ledger.offer(&request("a", 2, "n"), NOW), Verdict::Drop(_)));
    let mut other = request("a", 2, "m");
    other.verb = ExecVerb::Run { call: Call { function: "test.echo".into(), ..Call::default() }, tree: None };
    assert!(matches!(ledger.offer(&other, NOW), Verdict::Drop(_)));
    let mut elsewhere = request("b", 1, "m");
    elsewhere.targets = vec![PeelId::new("web-2").unwrap()];
    assert!(matches!(ledger.offer(&elsewhere, NOW), Verdict::Drop(_)));
}

#[test]
fn late_and_early_requests_are_answered_with_the_reason() {
    let mut ledger = ledger();
    assert!(matches!(take(&mut ledger, &request("a", 1, "m"), NOW + 60_001), Verdict::Refuse(_)));
    assert!(matches!(take(&mut ledger, &request("b", 1, "m"), 0), Verdict::Refuse(_)));
    assert_eq!(statuses(&ledger), [PeelStatus::Expired, PeelStatus::Failed]);
    assert_eq!(ledger.waiting().count(), 0);
    // accepted in time, but the jobs before it took long
    take(&mut ledger, &request("c", 1, "m"), NOW);
    let late = ledger.begin(&JobId::new("c").unwrap(), NOW + 70_000).unwrap().unwrap_err();
    ledger.apply(&late);
    assert_eq!(statuses(&ledger).last(), Some(&PeelStatus::Expired));
}

#[test]
fn cancellations() {
    let mut ledger = ledger();
    // before it comes
    assert!(matches!(take(&mut ledger, &cancel("a"), NOW), Verdict::Cancel { stop: false, .. }));
    assert!(matches!(take(&mut ledger, &request("a", 1, "m"), NOW), Verdict::Refuse(_)));
    // while it waits
    take(&mut ledger, &request("b", 1, "m"), NOW);
    take(&mut ledger, &cancel("b"), NOW);
    assert_eq!(ledger.waiting().count(), 0);
    assert_eq!(statuses(&ledger), [PeelStatus::Canceled; 2]);
    // while it runs
    take(&mut ledger, &request("c", 1, "m"), NOW);
    let begin = ledger.begin(&JobId::new("c").unwrap(), NOW).unwrap().unwrap();
    ledger.apply(&begin);
    assert!(matches!(take(&mut ledger, &cancel("c"), NOW), Verdict::Cancel { stop: true, .. }));
}

#[test]
fn a_restart_interrupts_what_ran_and_keeps_what_waits() {
    let mut ledger = ledger();
    let mut journal = Vec::new();
    for jid in ["a", "b"] {
        if let Verdict::Accept(record) = take(&mut ledger, &request(jid, 1, "m"), NOW) {
            journal.push(record);
        }
    }
    journal.push(Record::Started { jid: JobId::new("a").unwrap(), time_ms: NOW });
    let mut again = Ledger::new(PeelId::new("web-1").unwrap());
    for r in &journal {
        again.apply(r);
    }
    let recovered = again.recover(NOW + 5);
    for r in &recovered {
        again.apply(r);
    }
    assert_eq!(statuses(&again), [PeelStatus::Interrupted]);
    assert_eq!(again.waiting().map(|w| w.jid.as_str()).collect::<Vec<_>>(), ["b"]);
    // written anew, it is the same
    let mut anew = Ledger::new(PeelId::new("web-1").unwrap());
    for r in &again.records() {
        anew.apply(r);
    }
    assert_eq!(anew.records(), again.records());
    assert_eq!(statuses(&anew), statuses(&again));
}

#[test]
fn forgotten_when_expired_and_stored() {
    let mut ledger = ledger();
    take(&mut ledger, &request("a", 1, "m"), NOW + 60_001);
    let later = NOW + 60_002 + KEEP_MS;
    assert!(ledger.forgettable(later).is_empty(), "its return is not stored");
    ledger.apply(&Record::Stored { jid: JobId::new("a").unwrap() });
    assert!(ledger.forgettable(NOW + 60_000 + KEEP_MS).is_empty());
    for r in &ledger.forgettable(later) {
        ledger.apply(r);
    }
    assert!(ledger.is_empty());
}

#[test]
fn queues_are_bounded() {
    let mut ledger = ledger();
    for n in 0..MAX_WAITING + 3 {
        take(&mut ledger, &request(&format!("j{n}"), 1, "m"), NOW);
    }
    assert_eq!(ledger.waiting().count(), MAX_WAITING);
    assert_eq!(statuses(&ledger), [PeelStatus::Failed; 3]);
}
