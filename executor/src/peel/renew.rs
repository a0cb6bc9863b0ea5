//! New credentials before the old ones end: over NATS, and from the masters' HTTPS API where that has become impossible.

use super::{Enrolled, Shared, jittered, now_ms};
use crate::{
    bus::{
        codec,
        subject::{self, Verb},
    },
    enroll::{
        client::{self, ClientError, EnrollOptions, Step},
        message::{Grant, Renewal},
    },
};
use std::{sync::Arc, time::Duration};

/// Between two attempts.
const AGAIN: Duration = Duration::from_secs(300);
/// The longest sleep: clocks are set, machines are suspended.
const LOOK: Duration = Duration::from_secs(3600);
/// How long a master may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Renews until the end.
pub(super) async fn run(shared: Arc<Shared>, mut enrolled: Enrolled) {
    loop {
        let now = now_ms() / 1000;
        let grant = &enrolled.grant;
        if now < grant.renew {
            let sleep = Duration::from_secs(grant.renew - now).mul_f64(rand::random_range(1.0..1.1));
            if !shared.pause(sleep.min(LOOK)).await {
                return;
            }
            continue;
        }
        // Over NATS while there is time; an expired token does not get there.
        let near_end = now >= grant.renew.midpoint(grant.expires);
        let renewed = match over_nats(&shared, &enrolled).await {
            Ok(grant) => Ok(grant),
            Err(error) if near_end => {
                tracing::warn!(peel = %shared.id(), %error, "no new credentials over NATS");
                tokio::select! {
                    renewed = over_https(&shared, &enrolled) => renewed,
                    () = shared.stopped() => return,
                }
            }
            Err(error) => Err(error),
        };
        let kept = renewed.and_then(|grant| {
            let credentials = enrolled.identity.keep(&grant).map_err(|e| e.to_string())?;
            Ok((grant, credentials))
        });
        match kept {
            Ok((grant, credentials)) => {
                tracing::info!(peel = %shared.id(), expires = grant.expires, "the credentials are renewed");
                // The server ends the session when the old token ends; the next one begins with these.
                shared.bus.replace_credentials(credentials);
                enrolled.grant = grant;
            }
            Err(error) => {
                tracing::warn!(peel = %shared.id(), %error, "the credentials are not renewed");
                let left = enrolled.grant.expires.saturating_sub(now);
                let pause = AGAIN.min(Duration::from_secs((left / 4).max(1)));
                if !shared.pause(jittered(pause)).await {
                    return;
                }
            }
        }
    }
}

async fn over_nats(shared: &Shared, enrolled: &Enrolled) -> Result<Grant, String> {
    let subject = subject::up(shared.id(), Verb::Renew);
    let body = enrolled.identity.renewal(now_ms()).map_err(|e| e.to_string())?;
    let answer = shared.bus.request_with(&subject, None, body, PATIENCE).await.map_err(|e| e.to_string())?;
    let answer: Renewal = codec::decode(&answer.payload).map_err(|e| e.to_string())?;
    answer.grant.ok_or_else(|| {
        answer.error.unwrap_or_else(|| "the master gives neither credentials nor a reason".into())
    })
}

async fn over_https(shared: &Shared, enrolled: &Enrolled) -> Result<Grant, String> {
    let options = EnrollOptions {
        masters: enrolled.grant.masters.clone(),
        strict: true,
        host: enrolled.identity.id().to_string(),
        ..EnrollOptions::default()
    };
    let asking = client::enroll(&enrolled.identity, &options, |step| match step {
        Step::Waiting { fingerprint } => {
            tracing::warn!(peel = %shared.id(), %fingerprint, "an operator has to approve this peel again");
        }
        Step::Trouble { master, reason } => tracing::warn!(%master, %reason, "a master cannot be asked"),
        Step::Believed { .. } => {}
    });
    // Not for ever: NATS may be back.
    match tokio::time::timeout(AGAIN, asking).await {
        Ok(Ok(grant)) => Ok(grant),
        Ok(Err(error @ ClientError::Rejected { .. })) => {
            // Nothing changes soon; its work goes on without a fleet.
            tokio::time::sleep(AGAIN).await;
            Err(error.to_string())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no master answers".to_owned()),
    }
}
