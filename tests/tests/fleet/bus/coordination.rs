//! Watches, notices and leases.

use super::{
    connection::options,
    storage::{SMALL, ready},
};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use zester_executor::bus::{
    Bucket, Bus,
    id::PeelId,
    lease::{self, Lease, LeaseError},
    notice::{Notices, Reason, Reread, Spread},
    storage,
    watch::{Watch, WatchOptions, Watched},
};
use zester_tests::nats::Server;

/// Long enough for any machine; only failures take it.
const PATIENCE: Duration = Duration::from_secs(60);

async fn told(watch: &mut Watch) -> Watched {
    timeout(PATIENCE, watch.next()).await.expect("the watch tells something").unwrap()
}

async fn key(watch: &mut Watch) -> String {
    match told(watch).await {
        Watched::Entry(entry) => format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value)),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_each_change_once_through_losses() {
    let mut server = Server::start("");
    let bus = ready(&server, "master").await;
    let facts = bus.kv(Bucket::Facts);
    // Nothing there is said as well.
    let mut watch = facts.watch(WatchOptions::default()).unwrap();
    assert_eq!(told(&mut watch).await, Watched::Current);
    for n in 0..600 {
        facts.put("web-1", format!("{n}")).await.unwrap();
        assert_eq!(key(&mut watch).await, format!("web-1={n}"));
    }
    facts.put("web-2", "x").await.unwrap();
    assert_eq!(key(&mut watch).await, "web-2=x");
    // Another one begins with the last values, and says when that was all.
    let mut second = facts.watch(WatchOptions::default()).unwrap();
    assert_eq!(key(&mut second).await, "web-1=599");
    assert_eq!(key(&mut second).await, "web-2=x");
    assert_eq!(told(&mut second).await, Watched::Current);
    let mut narrow = facts.watch(WatchOptions { keys: "web-2".into(), ..Default::default() }).unwrap();
    assert_eq!(key(&mut narrow).await, "web-2=x");
    let session = bus.connected().await.unwrap();
    server.kill();
    server.restart();
    bus.reconnected(session).await.unwrap();
    let marker = facts.latest("web-2").await.unwrap().unwrap().revision;
    facts.delete("web-2", marker).await.unwrap();
    facts.put("web-3", "y").await.unwrap();
    for watch in [&mut watch, &mut second] {
        assert!(matches!(told(watch).await, Watched::Entry(e) if e.deleted && e.key == "web-2"));
        assert_eq!(key(watch).await, "web-3=y");
    }
    // A watch that knows where it was goes on there.
    let mut later = facts.watch(WatchOptions { after: watch.revision() - 1, ..Default::default() }).unwrap();
    assert_eq!(key(&mut later).await, "web-3=y");
    assert_eq!(told(&mut later).await, Watched::Current);
    let keys = facts.keys(">", 10).await.unwrap();
    assert_eq!(keys.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["web-1", "web-3"]);
    assert!(facts.keys(">", 1).await.is_err());
    assert!(facts.watch(WatchOptions { keys: "a b".into(), ..Default::default() }).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_notices_that_the_bucket_is_another() {
    let server = Server::start("");
    let bus = ready(&server, "master").await;
    let basket = bus.kv(Bucket::Basket);
    for n in 0..10 {
        basket.put(&format!("k{n}"), "x").await.unwrap();
    }
    let mut watch = basket.watch(WatchOptions::default()).unwrap();
    while told(&mut watch).await != Watched::Current {}
    bus.request("$JS.API.STREAM.DELETE.KV_basket", "").await.unwrap();
    storage::ensure(&bus, SMALL).await.unwrap();
    basket.put("new", "y").await.unwrap();
    assert_eq!(told(&mut watch).await, Watched::Restarted);
    assert_eq!(key(&mut watch).await, "new=y");
    assert_eq!(told(&mut watch).await, Watched::Current);
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_tell_what_to_read_and_losses_read_all() {
    let mut server = Server::start("");
    let master = ready(&server, "master").await;
    let bus = Bus::connect(options(&server, "web-1")).await.unwrap();
    let peel = PeelId::new("web-1").unwrap();
    let spread = Spread { window: Duration::from_millis(50), ..Spread::default() };
    let mut notices = Notices::subscribe(&bus, &peel, spread).await.unwrap();
    async fn next(notices: &mut Notices) -> Reread {
        timeout(PATIENCE, notices.next()).await.expect("a notice").expect("the connection stands")
    }
    assert_eq!(next(&mut notices).await, Reread::All(Reason::Start));
    let settings = master.kv(Bucket::SettingsFiles);
    let announced = |key: &str, revision| Reread::Key {
        bucket: Bucket::SettingsFiles,
        key: key.to_owned(),
        revision,
        deleted: false,
    };
    settings.put("web-2.base", "not for us").await.unwrap();
    let first = settings.put("web-1.base", "for us").await.unwrap();
    assert_eq!(next(&mut notices).await, announced("web-1.base", first));
    let all = master.kv(Bucket::StateFiles).put("_all.base", "for all").await.unwrap();
    let got = next(&mut notices).await;
    assert!(
        matches!(&got, Reread::Key { bucket: Bucket::StateFiles, key, revision, .. } if key == "_all.base" && *revision == all)
    );
    // The notice of a write is lost, as seen from the next one's.
    let lost = settings.put("web-1.base", "2").await.unwrap();
    assert_eq!(next(&mut notices).await, announced("web-1.base", lost));
    let mut headers = zester_executor::bus::HeaderMap::new();
    headers.insert("Nats-Stream", "KV_settings-files");
    headers.insert("Nats-Subject", "$KV.settings-files.web-1.base");
    headers.insert("Nats-Sequence", (lost + 20).to_string());
    headers.insert("Nats-Last-Sequence", (lost + 10).to_string());
    master.publish_with_headers("zester.notify.web-1.base", headers, "").await.unwrap();
    assert_eq!(next(&mut notices).await, announced("web-1.base", lost + 20));
    assert_eq!(next(&mut notices).await, Reread::All(Reason::Gap));
    // Another session.
    let session = bus.connected().await.unwrap();
    server.kill();
    server.restart();
    bus.reconnected(session).await.unwrap();
    assert_eq!(next(&mut notices).await, Reread::All(Reason::Reconnected));
    // Their end comes with the connection's; the drain waits for them.
    let reader = tokio::spawn(async move { while notices.next().await.is_some() {} });
    assert_eq!(bus.drain().await.unfinished, 0);
    timeout(PATIENCE, reader).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_by_itself_every_time() {
    let server = Server::start("");
    let bus = ready(&server, "master").await;
    let leases = bus.kv(Bucket::Leases);
    let ttl = Duration::from_secs(3);
    // The second time the key had existed before, which is where the client forgets the lifetime.
    for round in 0..2 {
        let lease = Lease::acquire(&leases, "publish", "one", ttl).await.unwrap();
        assert!(lease.holds());
        let held = Lease::acquire(&leases, "publish", "two", ttl).await.unwrap_err();
        assert!(matches!(held, LeaseError::Held { holder, .. } if holder == "one"), "round {round}");
        if round == 1 {
            // Renewed, it outlives its lifetime.
            tokio::time::sleep(ttl * 2).await;
            assert!(lease.holds());
            assert!(Lease::acquire(&leases, "publish", "two", ttl).await.is_err());
        }
        // The holder dies: nothing renews, nothing is given back.
        drop(lease);
        let end = Instant::now() + PATIENCE;
        while leases.latest_or_deleted("publish").await.unwrap().is_some() {
            assert!(Instant::now() < end, "the lease never ends (round {round})");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // Given back, it is free at once, though a marker stands there.
    let lease = Lease::acquire(&leases, "publish", "one", ttl).await.unwrap();
    lease.release().await;
    let lease = Lease::acquire(&leases, "publish", "two", ttl).await.unwrap();
    // Taken from under its holder it is lost.
    let entry = leases.latest("publish").await.unwrap().unwrap();
    leases.put("publish", entry.value).await.unwrap();
    timeout(PATIENCE, lease.lost()).await.unwrap();
    assert!(!lease.holds());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_without_a_server_stops_by_its_own_clock() {
    let mut server = Server::start("");
    let bus = ready(&server, "master").await;
    let lease =
        Lease::acquire(&bus.kv(Bucket::Leases), "publish", "one", Duration::from_secs(4)).await.unwrap();
    server.kill();
    timeout(PATIENCE, lease.lost()).await.unwrap();
    assert!(!lease.holds());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_epoch_is_given_out_twice() {
    let server = Server::start("");
    let bus = ready(&server, "master").await;
    let leases = bus.kv(Bucket::Leases);
    let raises = (0..20).map(|_| {
        let leases = leases.clone();
        tokio::spawn(async move { lease::raise(&leases, "epoch", Instant::now() + PATIENCE).await.unwrap() })
    });
    let mut epochs = Vec::new();
    for raise in raises.collect::<Vec<_>>() {
        epochs.push(raise.await.unwrap());
    }
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=20).collect::<Vec<u64>>());
}
