//! Credentials that end: revoked, expired, renewed, signed by a key that was replaced.

use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use zester_executor::{
    auth::{account, permission::Role},
    bus::{Bus, BusError, ConnectionState, Refusal},
};
use zester_tests::secured::{Secured, now};

/// Long enough for any machine; only failures take it.
const PATIENCE: Duration = Duration::from_secs(60);

fn user(credentials: &zester_executor::bus::Credentials) -> String {
    nkeys::KeyPair::from_seed(&credentials.seed).unwrap().public_key()
}

async fn refused(bus: &Bus) -> Option<Refusal> {
    let mut state = bus.state();
    let now = timeout(
        PATIENCE,
        state.wait_for(|s| {
            matches!(
                s,
                ConnectionState::Disconnected { refusal: Some(_) }
                    | ConnectionState::Connecting { refusal: Some(_) }
            )
        }),
    );
    match *now.await.expect("a refusal").unwrap() {
        ConnectionState::Disconnected { refusal } | ConnectionState::Connecting { refusal } => refusal,
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_peel_is_off_and_stays_off() {
    let mut secured = Secured::start().await;
    let (bad, good) =
        (secured.peel_credentials("web-1", &[], 600), secured.peel_credentials("web-2", &[], 600));
    let revoked = secured.connect(&secured.peel("web-1", bad.clone())).await;
    let other = secured.connect(&secured.peel("web-2", good)).await;
    let session = other.connected().await.unwrap();

    let system = secured.connect(&secured.safe(Role::System)).await;
    let operator = secured.installation.operator_key().unwrap();
    let account = secured.installation.description.account.clone();
    let begun = Instant::now();
    let token = account::revoke(&system, &operator, &account, &[user(&bad)], now()).await.unwrap();
    assert!(refused(&revoked).await.is_some());
    println!("off after {:?}", begun.elapsed());
    assert_eq!(other.connected().await.unwrap(), session, "others are not touched");
    secured.installation.store_account(&token).unwrap();

    // Anybody else who has these credentials; and a second revocation keeps the first.
    let third = secured.peel_credentials("web-3", &[], 600);
    account::revoke(&system, &operator, &account, &[user(&third)], now()).await.unwrap();
    for (id, credentials) in [("web-1", &bad), ("web-3", &third)] {
        let again = timeout(PATIENCE, Bus::connect(secured.peel(id, credentials.clone()))).await.unwrap();
        assert!(matches!(again, Err(BusError::Refused(_))), "{again:?}");
    }

    // The configuration's preload is older than what was pushed, and does not undo it.
    secured.server.kill();
    secured.server.restart();
    other.reconnected(session).await.unwrap();
    let again = timeout(PATIENCE, Bus::connect(secured.peel("web-1", bad.clone()))).await.unwrap();
    assert!(matches!(again, Err(BusError::Refused(_))), "{again:?}");
    // The name is not revoked: a new key gets in.
    let fresh = secured.peel_credentials("web-1", &[], 600);
    assert!(Bus::connect(secured.peel("web-1", fresh)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_users_are_revoked_and_only_by_the_operator() {
    let secured = Secured::start().await;
    let system = secured.connect(&secured.safe(Role::System)).await;
    let operator = secured.installation.operator_key().unwrap();
    let account = secured.installation.description.account.clone();
    let wrong = account::revoke(&system, &operator, &account, std::slice::from_ref(&account), now()).await;
    assert!(matches!(wrong, Err(account::AccountError::User(_))), "{wrong:?}");
    let stranger = nkeys::KeyPair::new_operator();
    let user = nkeys::KeyPair::new_user().public_key();
    let refused = account::revoke(&system, &stranger, &account, &[user], now()).await;
    assert!(matches!(refused, Err(account::AccountError::Operator(_))), "{refused:?}");
    assert!(account::lookup(&system, &account).await.unwrap().nats.revocations.is_empty());
    let unknown = nkeys::KeyPair::new_account().public_key();
    assert!(account::lookup(&system, &unknown).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_renewed_before_they_expire() {
    let secured = Secured::start().await;
    let bus = secured.connect(&secured.peel("web-1", secured.peel_credentials("web-1", &[], 4))).await;
    let session = bus.connected().await.unwrap();
    // Nobody renews: off, with the reason.
    assert_eq!(refused(&bus).await, Some(Refusal::Expired));
    // Renewed: back by itself, at the next attempt.
    bus.replace_credentials(secured.peel_credentials("web-1", &[], 600));
    timeout(PATIENCE, bus.reconnected(session)).await.expect("a connection").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_signs_peels_is_replaced_without_a_gap() {
    let mut secured = Secured::start().await;
    let system = secured.connect(&secured.safe(Role::System)).await;
    let old = secured.peel_credentials("web-1", &[], 600);
    let early = secured.connect(&secured.peel("web-1", old.clone())).await;
    let session = early.connected().await.unwrap();

    let token = secured.installation.rotate_issuer(Role::Peel, now()).unwrap();
    account::push(&system, &token).await.unwrap();
    let new = secured.peel_credentials("web-2", &[], 600);
    let late = secured.connect(&secured.peel("web-2", new)).await;
    assert!(late.subscribe("zester.cmd.web-2").await.is_ok());
    assert_eq!(early.connected().await.unwrap(), session, "the old key's users stay");

    // The old one renews, then the old key goes.
    early.replace_credentials(secured.peel_credentials("web-1", &[], 600));
    let token = secured.installation.retire_issuers(Role::Peel, now()).unwrap();
    account::push(&system, &token).await.unwrap();
    timeout(PATIENCE, early.connected()).await.expect("a connection").unwrap();
    let again = timeout(PATIENCE, Bus::connect(secured.peel("web-1", old))).await.unwrap();
    assert!(matches!(again, Err(BusError::Refused(_))), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_replaced_without_a_gap() {
    let mut secured = Secured::start().await;
    let credentials = secured.peel_credentials("web-1", &[], 600);
    let old = secured.peel("web-1", credentials.clone());
    let roots = old.tls.clone().unwrap().roots;
    assert!(Bus::connect(old.clone()).await.is_ok());
    let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];

    // Both roots are trusted on both sides, then the certificates change.
    secured.installation.rotate_root(now()).unwrap();
    fs::copy(secured.installation.nats().join("ca.pem"), &roots).unwrap();
    secured.installation.reissue(&hosts, &hosts, "alice", now()).unwrap();
    secured.server.signal("HUP");
    reloaded(&secured, 1).await;
    assert!(Bus::connect(old.clone()).await.is_ok(), "an old client's certificate at a new server's");
    let new = secured.peel("web-2", secured.peel_credentials("web-2", &[], 600));
    assert!(Bus::connect(new.clone()).await.is_ok());

    secured.installation.retire_roots().unwrap();
    secured.server.signal("HUP");
    reloaded(&secured, 2).await;
    assert!(Bus::connect(old).await.is_err(), "the old root's clients are out");
    assert!(Bus::connect(new).await.is_ok());
}

async fn reloaded(secured: &Secured, times: usize) {
    for _ in 0..600 {
        if secured.server.log().matches("Reloaded server configuration").count() >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server does not reload:\n{}", secured.server.log());
}
