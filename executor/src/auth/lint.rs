//! `zester auth lint`: credentials held against what their role should have, without a server.

use super::{
    jwt::{Account, Claims, JwtError, Limits, SigningKey, Subjects, User},
    permission::Role,
    server_config::MAX_CONTROL_LINE,
};
use crate::bus::id::check_id;
use std::fmt;

/// Credentials that end within this are reported, in seconds.
const SOON: u64 = 7 * 86_400;

/// What is wrong with credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Their time is over.
    Expired,
    /// Their time is over in so many seconds.
    ExpiresSoon(u64),
    /// No key of the account has signed them: the server turns them away.
    UnknownIssuer(String),
    /// The user is revoked.
    Revoked,
    /// The name is outside the grammar: it reaches into other names' subjects.
    Name(String),
    /// The role's template in the account, or the user's own list, lacks a subject.
    Missing {
        /// `publish` or `subscribe`.
        what: &'static str,
        /// The subject.
        subject: String,
    },
    /// It has a subject that the role should not have.
    Excess {
        /// `publish` or `subscribe`.
        what: &'static str,
        /// The subject.
        subject: String,
    },
    /// Permissions of its own under a scoped key: the server turns it away.
    OwnPermissions,
    /// A queue permission in a template: the server drops it without a word.
    QueueInTemplate(String),
    /// The CONNECT line would be longer than the servers read.
    TooLong(usize),
    /// Limits other than the role's.
    Limits,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the credentials have expired"),
            Self::ExpiresSoon(seconds) => {
                write!(f, "the credentials expire in {} h", seconds / 3_600)
            }
            Self::UnknownIssuer(key) => {
                write!(f, "the key `{key}` that signed the credentials is not a key of the account")
            }
            Self::Revoked => f.write_str("the credentials are revoked"),
            Self::Name(why) => write!(f, "the user's name is dangerous: {why}"),
            Self::Missing { what, subject } => write!(f, "the permission to {what} `{subject}` is missing"),
            Self::Excess { what, subject } => {
                write!(f, "the permission to {what} `{subject}` is more than the role needs")
            }
            Self::OwnPermissions => {
                f.write_str("the user has permissions of its own under a key that is bound to a role; the server turns it away")
            }
            Self::QueueInTemplate(subject) => {
                write!(f, "the role's template has the queue permission `{subject}`, which the server drops silently")
            }
            Self::TooLong(bytes) => write!(
                f,
                "the token has {bytes} bytes; with a `max_control_line` of {MAX_CONTROL_LINE} the connection fails without a word"
            ),
            Self::Limits => f.write_str("the limits differ from the role's"),
        }
    }
}

/// Holds a user's token against its role; `role` is needed for users that no scoped key signed.
pub fn lint(
    token: &str,
    account: &Claims<Account>,
    role: Option<Role>,
    now: u64,
) -> Result<Vec<Finding>, JwtError> {
    let claims = Claims::<User>::decode(token)?;
    let mut found = Vec::new();
    match claims.exp {
        Some(end) if end <= now => found.push(Finding::Expired),
        Some(end) if end - now < SOON && !matches!(role, Some(Role::Peel | Role::Enroll)) => {
            found.push(Finding::ExpiresSoon(end - now));
        }
        _ => {}
    }
    if account.nats.revocations.get(&claims.sub).is_some_and(|until| claims.iat <= *until) {
        found.push(Finding::Revoked);
    }
    if let Err(error) = check_id("user's name", &claims.name) {
        found.push(Finding::Name(error.to_string()));
    }
    // Nonce signature, name, version and the JSON around them.
    if token.len() + 1_024 > MAX_CONTROL_LINE {
        found.push(Finding::TooLong(token.len()));
    }
    let key = account.nats.signing_keys.iter().find(|key| key.key() == claims.iss);
    match key {
        Some(SigningKey::Scoped(scope)) => {
            if claims.nats.limits != Limits::default() {
                found.push(Finding::OwnPermissions);
            }
            for subject in &scope.template.subscribe.allow {
                if subject.contains(' ') {
                    found.push(Finding::QueueInTemplate(subject.clone()));
                }
            }
            if let Some(role) = Role::from_name(&scope.role) {
                compare(&scope.template, &role.template(), &mut found);
            }
        }
        Some(SigningKey::Plain(_)) => {
            if let Some(role) = role {
                compare(&claims.nats.limits, &role.limits(&claims.name), &mut found);
            }
        }
        None if claims.iss == account.sub => {
            if let Some(role) = role {
                compare(&claims.nats.limits, &role.limits(&claims.name), &mut found);
            }
        }
        None => found.push(Finding::UnknownIssuer(claims.iss.clone())),
    }
    Ok(found)
}

fn compare(has: &Limits, should: &Limits, found: &mut Vec<Finding>) {
    for (what, has, should) in
        [("publish to", &has.publish, &should.publish), ("subscribe to", &has.subscribe, &should.subscribe)]
    {
        subjects(what, has, should, found);
    }
    let rest = |l: &Limits| (l.subs, l.payload, l.allowed_connection_types.clone());
    if rest(has) != rest(should) {
        found.push(Finding::Limits);
    }
}

fn subjects(what: &'static str, has: &Subjects, should: &Subjects, found: &mut Vec<Finding>) {
    // An empty list allows everything.
    if has.allow.is_empty() && !has.deny.iter().any(|d| d == ">") {
        found.push(Finding::Excess { what, subject: ">".to_owned() });
    }
    for subject in should.allow.iter().filter(|s| !has.allow.contains(s) || has.deny.contains(s)) {
        found.push(Finding::Missing { what, subject: subject.clone() });
    }
    for subject in has.allow.iter().filter(|s| !should.allow.contains(s)) {
        found.push(Finding::Excess { what, subject: subject.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::init::signing_key;
    use nkeys::KeyPair;

    const NOW: u64 = 1_800_000_000;

    struct Parts {
        account: Claims<Account>,
        peel: KeyPair,
        master: KeyPair,
    }

    fn parts() -> Parts {
        let (key, peel, master) = (KeyPair::new_account(), KeyPair::new_account(), KeyPair::new_account());
        let mut account = Account::new(&[]);
        account.signing_keys = vec![
            signing_key(Role::Peel, &peel.public_key()),
            signing_key(Role::Master, &master.public_key()),
        ];
        Parts { account: Claims::new(key.public_key(), "ZESTER", account), peel, master }
    }

    fn user(name: &str, limits: Limits) -> Claims<User> {
        let user = User { limits, ..User::default() };
        Claims::new(KeyPair::new_user().public_key(), name, user).until(NOW + 30 * 86_400)
    }

    #[test]
    fn what_is_issued_is_clean() {
        let parts = parts();
        let peel = user("web-1", Limits::default()).sign(&parts.peel, NOW).unwrap();
        assert_eq!(lint(&peel, &parts.account, None, NOW).unwrap(), []);
        for role in [Role::Master, Role::Dispatcher] {
            let master = user("master", role.limits("master")).sign(&parts.master, NOW).unwrap();
            assert_eq!(lint(&master, &parts.account, Some(role), NOW).unwrap(), []);
        }
    }

    #[test]
    fn what_is_wrong_is_found() {
        let mut parts = parts();
        let all = |token: &str, account: &Claims<Account>, role| lint(token, account, role, NOW).unwrap();
        let mut limits = Role::Master.limits("master");
        limits.publish.allow.push("zester.cmd.>".into());
        limits.subscribe.allow.retain(|s| s != "zester.dispatch zester.masters");
        let token = user("master", limits).sign(&parts.master, NOW).unwrap();
        assert_eq!(
            all(&token, &parts.account, Some(Role::Master)),
            [
                Finding::Excess { what: "publish to", subject: "zester.cmd.>".into() },
                Finding::Missing { what: "subscribe to", subject: "zester.dispatch zester.masters".into() },
            ]
        );
        let open = user("master", Limits::default()).sign(&parts.master, NOW).unwrap();
        let found = all(&open, &parts.account, Some(Role::Master));
        assert!(found.contains(&Finding::Excess { what: "publish to", subject: ">".into() }));
        for name in ["*", ">", "a.b", ""] {
            let token = user(name, Limits::default()).sign(&parts.peel, NOW).unwrap();
            assert!(matches!(all(&token, &parts.account, None)[..], [Finding::Name(_)]), "{name}");
        }
        let own = user("web-1", Role::Peel.limits("web-1")).sign(&parts.peel, NOW).unwrap();
        assert_eq!(all(&own, &parts.account, None), [Finding::OwnPermissions]);
        let strange = user("web-1", Limits::default()).sign(&KeyPair::new_account(), NOW).unwrap();
        assert!(matches!(all(&strange, &parts.account, None)[..], [Finding::UnknownIssuer(_)]));
        let claims = user("web-1", Limits::default()).until(NOW + 3_600);
        let ending = claims.clone().sign(&parts.peel, NOW).unwrap();
        assert_eq!(all(&ending, &parts.account, None), [Finding::ExpiresSoon(3_600)]);
        assert_eq!(lint(&ending, &parts.account, None, NOW + 3_600).unwrap(), [Finding::Expired]);
        parts.account.nats.revocations.insert(claims.sub, NOW);
        assert!(all(&ending, &parts.account, None).contains(&Finding::Revoked));
        // A template of another version.
        if let SigningKey::Scoped(scope) = &mut parts.account.nats.signing_keys[0] {
            scope.template.subscribe.allow.push("x q".into());
        }
        let token = user("web-1", Limits::default()).sign(&parts.peel, NOW).unwrap();
        assert!(all(&token, &parts.account, None).contains(&Finding::QueueInTemplate("x q".into())));
    }
}
