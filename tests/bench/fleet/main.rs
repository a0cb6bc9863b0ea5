//! The fleet measured: jobs to simulated peels over a real nats-server, beside what plain NATS takes for the same in the same run.
//!
//! `fleet [--peels 1,10,100] [--seconds 5]` prints tables and says where curves bend. It asserts nothing.

mod crowd;
mod process;
mod table;

use crowd::Peels;
use std::{
    error::Error,
    time::{Duration, Instant},
};
use table::{Curve, millis};
use zester_executor::{
    bus::{Bus, id::JobId, subject},
    job::message::JobStatus,
    operator::Operator,
};
use zester_tests::{
    fleet::{Fleet, job},
    simulated::FLOOR,
};

/// Numbers of peels unless others are asked for.
const PEELS: &[usize] = &[1, 10, 100, 1_000, 5_000, 10_000];
/// How long peels are waited for.
const PATIENCE: Duration = Duration::from_secs(300);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|w| w == "crowd") {
        return crowd::run(&words[1..]).await;
    }
    let option = |name: &str| words.iter().position(|w| w == name).and_then(|at| words.get(at + 1));
    let sizes: Vec<usize> = match option("--peels") {
        Some(list) => list.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?,
        None => PEELS.to_vec(),
    };
    let seconds = option("--seconds").map_or(Ok(5), |s| s.parse())?;
    latency(&sizes).await?;
    throughput(Duration::from_secs(seconds)).await
}

/// One job to all peels, with the number of peels growing.
async fn latency(sizes: &[usize]) -> Result<()> {
    let mut rows = Vec::new();
    let (mut ping, mut stored) = (Curve::default(), Curve::default());
    for &count in sizes {
        let mut fleet = Fleet::sized(100).await;
        let master = fleet.master().await;
        let began = Instant::now();
        let mut peels = Peels::start(&fleet, count)?;
        peels.await_current(1, count, PATIENCE).await?;
        let operator = fleet.operator().await;
        known(&operator, count).await?;
        let up = began.elapsed();
        let asker = fleet.bus("asker").await;
        let rounds = (200 / count.max(1)).clamp(3, 20);
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        // In turns, so that the machine's other work hits all alike.
        for round in 0..=rounds {
            let measured = [
                plain(&asker, count).await?,
                plain_stored(&asker, count).await?,
                one_job(&operator, count).await?,
            ];
            if round > 0 {
                times.iter_mut().zip(measured).for_each(|(all, time)| all.push(time));
            }
        }
        let [floor, kept, job] = times.map(table::median);
        ping.add(count, job);
        stored.add(count, kept);
        let idle = idle(&fleet, &peels).await;
        let storm = facts_storm(&mut peels, count).await?;
        fleet.server.kill();
        fleet.server.restart();
        let began = Instant::now();
        peels.await_current(2, count, PATIENCE).await?;
        let back = began.elapsed();
        rows.push(vec![
            count.to_string(),
            millis(floor),
            millis(kept),
            millis(job),
            format!("{:.1}", job.as_secs_f64() / kept.as_secs_f64().max(1e-9)),
            format!("{:.1}", up.as_secs_f64()),
            millis(storm),
            format!("{:.1}", back.as_secs_f64()),
            idle,
        ]);
        peels.stop();
        drop(master);
        let head = [
            "peels",
            "NATS, ms",
            "stored, ms",
            "test.ping, ms",
            "ratio",
            "up, s",
            "facts, ms",
            "back, s",
            "idle: master+bench MiB, cpu %; nats MiB, cpu %; crowd cpu %",
        ];
        println!("\n{}", table::render(&head, &rows));
    }
    println!(
        "NATS: fan-out and answers, plain. stored: fan-out and a stored return of each. ratio: of test.ping to stored."
    );
    println!("back: after kill -9 of the server, until all have told their facts and asked for what waits.");
    println!("test.ping bends {}; stored bends {}\n", ping.bends(), stored.bends());
    Ok(())
}

/// Jobs a second on 20 peels, of one and of two masters, with so many in flight.
async fn throughput(long: Duration) -> Result<()> {
    const COUNT: usize = 20;
    let mut rows = Vec::new();
    for masters in [1, 2] {
        let fleet = Fleet::sized(100).await;
        let mut running = Vec::new();
        for _ in 0..masters {
            running.push(fleet.master().await);
        }
        let mut peels = Peels::start(&fleet, COUNT)?;
        peels.await_current(1, COUNT, PATIENCE).await?;
        let operator = fleet.operator().await;
        known(&operator, COUNT).await?;
        for at_once in [1, 16, 64, 256] {
            let end = Instant::now() + long;
            let began = Instant::now();
            let workers: Vec<_> = (0..at_once)
                .map(|_| {
                    let operator = operator.clone();
                    tokio::spawn(async move {
                        let mut done = 0_u64;
                        while Instant::now() < end {
                            match one_job(&operator, COUNT).await {
                                Ok(_) => done += 1,
                                Err(error) => eprintln!("a job failed: {error}"),
                            }
                        }
                        done
                    })
                })
                .collect();
            let mut done = 0;
            for worker in workers {
                done += worker.await?;
            }
            let rate = done as f64 / began.elapsed().as_secs_f64();
            rows.push(vec![
                masters.to_string(),
                at_once.to_string(),
                format!("{rate:.0}"),
                format!("{:.0}", rate * COUNT as f64),
            ]);
        }
        peels.stop();
    }
    println!("{}", table::render(&["masters", "jobs in flight", "jobs/s", "returns/s"], &rows));
    Ok(())
}

/// Waits until every master knows all peels: each answer is of one of them, so several in a row must be right.
async fn known(operator: &Operator, count: usize) -> Result<()> {
    const IN_A_ROW: usize = 8;
    let end = Instant::now() + PATIENCE;
    let mut right = 0;
    while right < IN_A_ROW {
        let answer = operator.resolve("*").await;
        if matches!(&answer, Ok((_, known)) if *known >= count as u64) {
            right += 1;
            continue;
        }
        right = 0;
        if Instant::now() > end {
            return Err(format!("the peels do not come: {:?}", answer.map(|a| a.1)).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// One `test.ping` to all, signed, recorded, every return stored.
async fn one_job(operator: &Operator, count: usize) -> std::result::Result<Duration, String> {
    let job = job(operator, "*", "test.ping", &[]).await;
    let began = Instant::now();
    let report = operator.run(job, |_| {}).await.map_err(|e| e.to_string())?;
    if report.record.status == JobStatus::Complete && report.peels.len() == count {
        Ok(began.elapsed())
    } else {
        Err(format!("a job ended otherwise: {:?}", report.record))
    }
}

/// What plain NATS takes: a message to each, an answer of each.
async fn plain(bus: &Bus, count: usize) -> Result<Duration> {
    let inbox = bus.new_inbox();
    let mut answers = bus.subscribe(&inbox).await?;
    let began = Instant::now();
    for n in 1..=count {
        bus.publish_with_reply(&format!("{FLOOR}.p-{n}"), &inbox, "x").await?;
    }
    for _ in 0..count {
        tokio::time::timeout(PATIENCE, answers.next()).await?;
    }
    Ok(began.elapsed())
}

/// What plain NATS takes with returns that are stored and confirmed.
async fn plain_stored(bus: &Bus, count: usize) -> Result<Duration> {
    let jid = JobId::generate();
    let mut answers = bus.subscribe(&subject::reports(&jid, subject::Report::Progress)).await?;
    let began = Instant::now();
    for n in 1..=count {
        bus.publish(&format!("{FLOOR}.p-{n}"), jid.to_string()).await?;
    }
    for _ in 0..count {
        tokio::time::timeout(PATIENCE, answers.next()).await?;
    }
    Ok(began.elapsed())
}

/// All peels tell their facts again, at once.
async fn facts_storm(peels: &mut Peels, count: usize) -> Result<Duration> {
    let began = Instant::now();
    peels.tell_facts().await?;
    peels.await_told(count, PATIENCE).await?;
    Ok(began.elapsed())
}

/// What all parts take while nothing happens.
async fn idle(fleet: &Fleet, peels: &Peels) -> String {
    let parts = [std::process::id(), fleet.server.pid(), peels.pid()];
    let before = parts.map(process::cpu);
    let long = Duration::from_secs(5);
    tokio::time::sleep(long).await;
    let used: Vec<f64> = parts
        .iter()
        .zip(before)
        .map(|(pid, was)| process::cpu(*pid).saturating_sub(was).as_secs_f64() / long.as_secs_f64() * 100.0)
        .collect();
    format!(
        "{:.0}, {:.1}; {:.0}, {:.1}; {:.1}",
        process::memory_mib(parts[0]),
        used[0],
        process::memory_mib(parts[1]),
        used[1],
        used[2]
    )
}
