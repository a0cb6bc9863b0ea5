//! A master's part in enrollment: the HTTPS API, operators' decisions, renewals.

use super::{MasterError, Shared};
use crate::publish::secrets::MAX_PARTS;
use crate::{
    auth::installation::MasterKeys,
    bus::{
        Bucket,
        id::{AdminId, PeelId},
    },
    enroll::{
        message::{Renewal, VERSION},
        rule::Rule,
        server::{Api, Certificate},
        service::{Lifetime, Service},
    },
    job::message::Decision,
};
use std::{net::SocketAddr, sync::Arc};

/// How a master admits machines.
#[derive(Clone)]
pub struct EnrollmentOptions {
    /// Keys that credentials are signed with.
    pub keys: Arc<MasterKeys>,
    /// Rules that approve without an operator.
    pub rules: Vec<Rule>,
    /// How long credentials are good.
    pub lifetime: Lifetime,
    /// Where the API listens, with its certificate; without it, only records are served.
    pub api: Option<(SocketAddr, Arc<Certificate>)>,
}

/// What runs of it.
pub(super) struct Enrollment {
    pub(super) service: Arc<Service>,
    pub(super) api: Option<Api>,
}

/// Starts the API and what is behind it.
pub(super) async fn start(
    bus: &crate::bus::Bus,
    options: EnrollmentOptions,
) -> Result<Enrollment, MasterError> {
    let records = Arc::new(bus.kv(Bucket::Enrollments));
    let service = Arc::new(Service::new(options.keys, records, options.rules, options.lifetime)?);
    let api = match options.api {
        Some((address, certificate)) => Some(Api::listen(address, certificate, service.clone()).await?),
        None => None,
    };
    Ok(Enrollment { service, api })
}

/// Carries out an operator's decision; gives the keys that the servers have to refuse from now on.
pub(super) async fn decide(
    shared: &Shared,
    who: &AdminId,
    id: &PeelId,
    decision: Decision,
) -> Result<Vec<String>, String> {
    let service = service(shared)?;
    let (by, now) = (who.as_str(), crate::peel::now_ms());
    let decided = match decision {
        Decision::Approve { which, groups, force } => {
            service.approve(id, which.as_deref(), by, &groups, force, now).await
        }
        Decision::Reject { which, reason } => {
            service.reject(id, which.as_deref(), by, reason, now).await.map(|()| Vec::new())
        }
        Decision::Revoke { reason } => {
            let revoked = service.revoke(id, by, reason, now).await.map(|key| vec![key]);
            if revoked.is_ok()
                && let Err(error) = forget(shared, id).await
            {
                // It is a peel no more, whatever is still known of it.
                tracing::warn!(%id, %error, "what is stored of a revoked peel is not removed");
            }
            revoked
        }
    };
    decided.map_err(|e| e.to_string())
}

/// Removes facts and secrets of a peel: targets match it no more.
async fn forget(shared: &Shared, id: &PeelId) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let secrets = shared.bus.kv(Bucket::Secrets);
    let sealed = secrets.names(&format!("{id}.*"), MAX_PARTS).await?;
    let all = sealed.into_iter().map(|key| (secrets.clone(), key));
    for (kv, key) in all.chain([(shared.bus.kv(Bucket::Facts), id.to_string())]) {
        if let Some(entry) = kv.latest(&key).await? {
            kv.delete(&key, entry.revision).await?;
        }
    }
    Ok(())
}

/// New credentials for a peel, whose name the server has checked.
pub(super) async fn renew(shared: &Shared, peel: &PeelId, body: &[u8]) -> Renewal {
    let renewed = match service(shared) {
        Ok(service) => {
            service.renew(peel, body, crate::peel::now_ms()).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error),
    };
    match renewed {
        Ok(grant) => {
            tracing::info!(%peel, "new credentials");
            Renewal { v: VERSION, grant: Some(grant), error: None }
        }
        Err(error) => {
            tracing::warn!(%peel, %error, "no new credentials");
            Renewal { v: VERSION, grant: None, error: Some(error) }
        }
    }
}

fn service(shared: &Shared) -> Result<&Service, String> {
    let enrollment = shared.enrollment.as_ref();
    enrollment.map(|e| &*e.service).ok_or_else(|| "this master has no keys for enrollment".to_owned())
}
