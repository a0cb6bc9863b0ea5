//! Ways around permissions: answers steered onto others, headers that erase or hide, names that reach too far, floods.

use std::time::Duration;
use tokio::time::timeout;
use zester_executor::{
    auth::{
        installation::{Access, MasterKeys},
        jwt::{Claims, User},
        permission::Role,
        signed::{Purpose, Signed},
    },
    bus::{Bucket, Bus, BusError, HeaderMap, StoreError},
    job::message::ExecRequest,
};
use zester_tests::secured::{Secured, now};

/// Long enough for any machine; only failures take it.
const PATIENCE: Duration = Duration::from_secs(30);

async fn peel(secured: &Secured, id: &str) -> Bus {
    secured.connect(&secured.peel(id, secured.peel_credentials(id, &["web"], 600))).await
}

async fn master(secured: &Secured) -> Bus {
    let keys = MasterKeys::load(&secured.installation.master()).unwrap();
    secured.connect(&secured.options(keys.responder)).await
}

/// Messages of a stream, as a master sees it.
async fn messages(master: &Bus, bucket: Bucket) -> u64 {
    #[derive(serde::Deserialize)]
    struct Info {
        state: State,
    }
    #[derive(serde::Deserialize)]
    struct State {
        messages: u64,
    }
    let call = format!("$JS.API.STREAM.INFO.{}", bucket.stream());
    let answer = master.request(&call, "").await.unwrap();
    serde_json::from_slice::<Info>(&answer.payload).unwrap().state.messages
}

fn header(name: &str, value: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(name, value);
    Some(headers)
}

/// The server delivers what it answers wherever it is asked to: permissions do not help, signatures do.
#[tokio::test(flavor = "multi_thread")]
async fn steered_answers_reach_others_and_are_worth_nothing() {
    let secured = Secured::start().await;
    let (attacker, victim, master) =
        (peel(&secured, "web-1").await, peel(&secured, "web-2").await, master(&secured).await);
    let mut commands = victim.subscribe("zester.cmd.web-2").await.unwrap();
    let mut inbox = victim.subscribe("_INBOX.web-2.known").await.unwrap();
    master.kv(Bucket::StateFiles).put("x", "attack").await.unwrap();
    let anchor = &secured.installation.description.anchor;
    let worthless = |bytes: &[u8]| {
        Signed::decode(bytes)
            .and_then(|s| s.open::<ExecRequest>(anchor, Purpose::Dispatch, now() * 1_000))
            .is_err()
    };
    // A direct get, and the confirmation of a publish.
    attacker
        .publish_with_reply("$JS.API.DIRECT.GET.KV_state-files.$KV.state-files.x", "zester.cmd.web-2", "")
        .await
        .unwrap();
    let steered = timeout(PATIENCE, commands.next()).await.unwrap().unwrap();
    assert_eq!(&steered.payload[..], b"attack", "the server does deliver it");
    assert!(worthless(&steered.payload));
    attacker.publish_with_reply("$KV.basket.web-1", "zester.cmd.web-2", "x").await.unwrap();
    let steered = timeout(PATIENCE, commands.next()).await.unwrap().unwrap();
    assert!(worthless(&steered.payload));
    attacker.publish_with_reply("$KV.basket.web-1", "_INBOX.web-2.known", "x").await.unwrap();
    assert!(timeout(PATIENCE, inbox.next()).await.unwrap().is_some());

    // What needs a right to consumers does not even get that far.
    let create = r#"{"stream_name":"KV_state-files","config":{"deliver_subject":"zester.cmd.web-2","ack_policy":"none"}}"#;
    for call in ["KV_state-files", "KV_state-files.c.$KV.state-files.>"] {
        let refused = attacker.request(&format!("$JS.API.CONSUMER.CREATE.{call}"), create).await;
        assert!(matches!(refused, Err(BusError::Denied { .. })), "{refused:?}");
    }
    let refused = attacker.request("$JS.API.CONSUMER.DURABLE.CREATE.KV_state-files.web-2", create).await;
    assert!(matches!(refused, Err(BusError::Denied { .. })), "{refused:?}");
    // A master that would answer naively is stopped: its answering connection publishes no commands.
    let refused = master.request("zester.cmd.web-2", "x").await;
    assert!(matches!(refused, Err(BusError::Denied { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_get_with_a_subject_gets_only_that() {
    let secured = Secured::start().await;
    let (web, master) = (peel(&secured, "web-1").await, master(&secured).await);
    let secrets = master.kv(Bucket::Secrets);
    secrets.put("web-1", "mine").await.unwrap();
    secrets.put("web-2", "theirs").await.unwrap();
    let own = "$JS.API.DIRECT.GET.KV_secrets.$KV.secrets.web-1";
    assert_eq!(&web.request(own, "").await.unwrap().payload[..], b"mine");
    for body in [
        r#"{"last_by_subj":"$KV.secrets.web-2"}"#,
        r#"{"seq":2}"#,
        r#"{"multi_last":["$KV.secrets.>"]}"#,
        r#"{"seq":1,"next_by_subj":"$KV.secrets.>"}"#,
    ] {
        let answer = web.request(own, body).await.unwrap();
        assert!(!answer.payload.windows(6).any(|w| w == b"theirs"), "{body}");
    }
    assert!(matches!(
        web.kv(Bucket::Secrets).get("web-2").await,
        Err(StoreError::Bus(BusError::Denied { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_erase_and_hide_nothing() {
    let secured = Secured::start().await;
    let (web, db, master) =
        (peel(&secured, "web-1").await, peel(&secured, "db-1").await, master(&secured).await);
    db.store("$KV.basket.db-1", None, "kept").await.unwrap();
    db.store("zester.fact.db-1", None, "kept").await.unwrap();
    db.store("zester.job.J.return.db-1", None, "kept").await.unwrap();
    let buckets = [Bucket::Basket, Bucket::Facts, Bucket::JobReturns];
    let mut before = Vec::new();
    for bucket in buckets {
        before.push(messages(&master, bucket).await);
    }
    let own =
        ["$KV.basket.web-1", "zester.fact.web-1", "zester.job.J.return.web-1", "zester.job.J.ack.web-1"];
    for subject in own {
        for (name, value) in [
            ("Nats-Rollup", "all"),
            ("Nats-Rollup", "sub"),
            ("Nats-TTL", "1s"),
            ("Nats-Schedule", "@at 2030-01-01T00:00:00Z"),
            ("Nats-Incr", "+1"),
            ("Nats-Expected-Stream", "KV_secrets"),
            ("Nats-Expected-Last-Sequence", "999999"),
            ("Nats-Expected-Last-Msg-Id", "x"),
            ("Nats-Batch-Id", "b"),
        ] {
            let stored = web.store(subject, header(name, value), "x").await;
            assert!(stored.is_err(), "{subject} {name}: {value}: {stored:?}");
        }
    }
    for (bucket, before) in buckets.into_iter().zip(before) {
        assert_eq!(messages(&master, bucket).await, before, "{bucket:?}");
    }
    // Somebody else's message id, used before him: ours are not told apart by ids.
    web.store("zester.job.K.return.web-1", header("Nats-Msg-Id", "K.db-1"), "x").await.unwrap();
    db.store("zester.job.K.return.db-1", None, "kept").await.unwrap();
    assert_eq!(&master.kv(Bucket::JobReturns).get("K.db-1").await.unwrap().unwrap().value[..], b"kept");
    // A return is written once.
    assert!(db.store("zester.job.K.return.db-1", None, "other").await.is_err());
    // One value per peel, and not a large one.
    assert!(web.store("$KV.basket.web-1", None, vec![0; 200 * 1024]).await.is_err());
    for _ in 0..20 {
        web.store("$KV.basket.web-1", None, vec![0; 100 * 1024]).await.unwrap();
    }
    assert_eq!(messages(&master, Bucket::Basket).await, 2);
    db.store("$KV.basket.db-1", None, "still").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_of_a_peel_are_bounded() {
    let secured = Secured::start().await;
    let (web, master) = (peel(&secured, "web-1").await, master(&secured).await);
    let mut all = Vec::new();
    for n in 0..40 {
        all.push(web.subscribe(&format!("_INBOX.web-1.flood.{n}")).await);
    }
    for n in 0..40 {
        master.publish(&format!("_INBOX.web-1.flood.{n}"), "x").await.unwrap();
    }
    master.round_trip().await.unwrap();
    web.round_trip().await.unwrap();
    let mut heard = 0;
    for subscription in all.iter_mut().flatten() {
        heard += u32::from(
            timeout(Duration::from_millis(200), subscription.next()).await.is_ok_and(|m| m.is_some()),
        );
    }
    assert!((1..=32).contains(&heard), "{heard}");
}

/// Names that a careless signer would let through: the server does not protect itself, so our signer must.
#[tokio::test(flavor = "multi_thread")]
async fn why_names_are_checked_before_they_are_signed() {
    let secured = Secured::start().await;
    let issuer = secured.installation.issuer(Role::Peel).unwrap();
    let key = nkeys::KeyPair::new_user();
    let user = User { issuer_account: Some(issuer.account.clone()), ..User::default() };
    let jwt = Claims::new(key.public_key(), "*", user).until(now() + 600).sign(&issuer.key, now()).unwrap();
    let credentials = zester_executor::bus::Credentials { jwt, seed: key.seed().unwrap() };
    let bus = secured.connect(&secured.peel("x", credentials)).await;
    assert!(
        bus.subscribe("zester.cmd.web-1").await.is_ok(),
        "a peel called `*` would hear everybody's commands"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_name_gets_no_answers() {
    let secured = Secured::start().await;
    // A configuration with a wrong name says so instead of timing out.
    let mut options = secured.peel("web-2", secured.peel_credentials("web-1", &[], 600));
    options.request_timeout = PATIENCE * 10;
    let outcome = timeout(PATIENCE, async {
        match Bus::connect(options).await {
            Ok(bus) => bus.request("zester.up.web-1.pending", "").await.map(|_| ()),
            Err(error) => Err(error),
        }
    });
    let refused = outcome.await.expect("an error and not a wait").unwrap_err();
    assert!(!matches!(refused, BusError::TimedOut { .. }), "{refused:?}");
    // An operator sends no commands past the masters.
    let access = Access::load(&secured.installation.admin()).unwrap();
    let alice = secured.connect(&secured.options(access)).await;
    assert!(
        alice.request("zester.cmd.web-1", "x").await.is_err_and(|e| matches!(e, BusError::Denied { .. }))
    );
}
