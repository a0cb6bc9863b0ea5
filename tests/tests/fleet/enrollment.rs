//! Machines that know a master's address become peels: over real HTTPS, with records in a real nats-server.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;
use zester_executor::{
    auth::{
        account,
        authority::fingerprint,
        init::{InitOptions, init},
        installation::MasterKeys,
        permission::Role,
    },
    bus::{
        Bucket, Bus, BusError,
        id::{AdminId, PeelId},
    },
    enroll::{
        client::{ClientError, EnrollOptions, Step, enroll},
        identity::Identity,
        message,
        rule::{Rule, RuleText},
        server::{Api, Certificate},
        service::{Lifetime, Service},
    },
    peel::now_ms,
};
use zester_tests::{
    nats::environment,
    secured::{Secured, now},
};

/// Long enough for any machine; only failures take it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A master's API on a port of its own choice.
struct Site {
    secured: Secured,
    service: Arc<Service>,
    api: Api,
    pin: String,
}

async fn site(rules: &[RuleText]) -> Site {
    let secured = Secured::start().await;
    let keys = MasterKeys::load(&secured.installation.master()).unwrap();
    let bus = secured.connect(&secured.options(keys.responder.clone())).await;
    let pin = fingerprint(&keys.roots).unwrap();
    let rules = rules.iter().map(|r| Rule::read(r).unwrap()).collect();
    let service =
        Service::new(Arc::new(keys), Arc::new(bus.kv(Bucket::Enrollments)), rules, Lifetime::default());
    let service = Arc::new(service.unwrap());
    let certificate = Arc::new(Certificate::load(&secured.installation.master()).unwrap());
    let api = Api::listen("127.0.0.1:0".parse().unwrap(), certificate, service.clone()).await.unwrap();
    Site { secured, service, api, pin }
}

impl Site {
    fn options(&self) -> EnrollOptions {
        EnrollOptions {
            masters: vec![format!("https://127.0.0.1:{}", self.api.address().port())],
            host: "a machine".into(),
            ..EnrollOptions::default()
        }
    }

    fn directory(&self, name: &str) -> PathBuf {
        self.secured.directory.path().join(name)
    }

    fn machine(&self, name: &str) -> Identity {
        Identity::open(&self.directory(name), PeelId::new(name).unwrap()).unwrap()
    }

    /// Connects as the peel that `identity` has become.
    async fn connect(&self, identity: &Identity) -> Result<Bus, BusError> {
        let (grant, credentials) = identity.kept().unwrap().expect("a grant");
        let mut options = identity.bus_options(&grant, credentials);
        options.servers = vec![self.secured.url()];
        Bus::connect(options).await
    }
}

/// Asks until an operator has to decide.
async fn until_it_waits(machine: &Identity, options: &EnrollOptions) -> Vec<Step> {
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut steps = Vec::new();
    let asking = enroll(machine, options, |step| drop(sender.send(step)));
    tokio::pin!(asking);
    loop {
        tokio::select! {
            granted = &mut asking => panic!("it does not wait: {granted:?}"),
            step = timeout(PATIENCE, told.recv()) => {
                steps.extend(step.unwrap());
                if matches!(steps.last(), Some(Step::Waiting { .. })) {
                    return steps;
                }
            }
        }
    }
}

fn token_rule() -> RuleText {
    // SHA-256 of `join-us`.
    let output = Command::new(environment().join("bin/python"))
        .args(["-c", "import hashlib; print(hashlib.sha256(b'join-us').hexdigest())"])
        .output()
        .unwrap();
    let digest = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    RuleText {
        name: "token".into(),
        token_sha256: Some(digest),
        groups: vec!["web".into()],
        ..RuleText::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_address_and_a_pin_to_a_peel_and_off_again() {
    let site = site(&[]).await;
    let machine = Arc::new(site.machine("web-1"));
    let steps = Arc::new(Mutex::new(Vec::new()));
    let asking = {
        let (machine, steps) = (machine.clone(), steps.clone());
        let options = EnrollOptions { pin: Some(site.pin.clone()), ..site.options() };
        tokio::spawn(async move { enroll(&machine, &options, |step| steps.lock().unwrap().push(step)).await })
    };
    let id = PeelId::new("web-1").unwrap();
    let record = timeout(PATIENCE, async {
        loop {
            if let Ok(record) = site.service.show(&id).await {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let shown = record.await.unwrap().candidates[0].clone();
    assert_eq!((shown.key.as_str(), shown.host.as_str()), (machine.key().as_str(), "a machine"));
    assert_eq!(shown.trust, message::Trust::Pinned);
    assert!(!asking.is_finished());
    let listed = site.service.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    site.service.approve(&id, Some(&shown.fingerprint()), "alice", &[], false, now_ms()).await.unwrap();
    timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert_eq!(*steps.lock().unwrap(), [Step::Waiting { fingerprint: shown.fingerprint() }]);

    // What it got is good for its own subjects, with its own certificate, and for no others.
    let bus = site.connect(&machine).await.unwrap();
    assert!(bus.subscribe("zester.cmd.web-1").await.is_ok());
    let other = bus.request("zester.up.web-2.pending", "").await;
    assert!(matches!(other, Err(BusError::Denied { .. })), "{other:?}");

    // New credentials before the old ones end.
    let grant = site.service.renew(&id, &machine.renewal(now_ms()).unwrap(), now_ms()).await.unwrap();
    let session = bus.connected().await.unwrap();
    bus.replace_credentials(machine.keep(&grant).unwrap());
    bus.reconnect().await.unwrap();
    timeout(PATIENCE, bus.reconnected(session)).await.unwrap().unwrap();

    // Revoked: off, and asking again does not help.
    let key = site.service.revoke(&id, "alice", Some("stolen".into()), now_ms()).await.unwrap();
    let system = site.secured.connect(&site.secured.safe(Role::System)).await;
    let installation = &site.secured.installation;
    let operator = installation.operator_key().unwrap();
    account::revoke(&system, &operator, &installation.description.account, &[key], now()).await.unwrap();
    timeout(PATIENCE, bus.disconnected()).await.unwrap();
    assert!(matches!(site.connect(&machine).await, Err(BusError::Refused(_))));
    let options = EnrollOptions { pin: Some(site.pin.clone()), ..site.options() };
    let again = enroll(&machine, &options, |_| ()).await;
    assert!(matches!(again, Err(ClientError::Rejected { reason: Some(r) }) if r == "stolen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_machine_believes() {
    let site = site(&[token_rule()]).await;
    let join = |options: EnrollOptions| EnrollOptions { token: Some("join-us".into()), ..options };

    // Another pin: no word is said to such a master.
    let wrong = format!("sha256:{}", "0".repeat(64));
    let machine = site.machine("pinned");
    let refused = enroll(&machine, &join(EnrollOptions { pin: Some(wrong), ..site.options() }), |_| ()).await;
    assert!(matches!(refused, Err(ClientError::Authority { .. })), "{refused:?}");
    let refused = enroll(&machine, &join(EnrollOptions { strict: true, ..site.options() }), |_| ()).await;
    assert!(matches!(refused, Err(ClientError::Options(_))), "{refused:?}");
    assert!(site.service.list().await.unwrap().is_empty());

    // The right one: the token's rule lets it in without an operator.
    let options = join(EnrollOptions { pin: Some(site.pin.clone()), ..site.options() });
    let grant = timeout(PATIENCE, enroll(&machine, &options, |_| ())).await.unwrap().unwrap();
    assert!(grant.roots.contains("BEGIN CERTIFICATE"));
    let bus = site.connect(&machine).await.unwrap();
    assert!(bus.subscribe("zester.grp.web").await.is_ok(), "the rule's group");

    // At first sight: believed and told, but the token is not sent, so an operator has to look.
    let stranger = site.machine("stranger");
    let steps = until_it_waits(&stranger, &join(site.options())).await;
    assert!(
        matches!(&steps[..], [Step::Believed { pin }, Step::Waiting { .. }] if *pin == site.pin),
        "{steps:?}"
    );
    // Being seen a second time does not make it better.
    let steps = until_it_waits(&stranger, &join(site.options())).await;
    assert!(matches!(&steps[..], [Step::Waiting { .. }]), "{steps:?}");
    let id = PeelId::new("stranger").unwrap();
    assert_eq!(site.service.show(&id).await.unwrap().candidates[0].trust, message::Trust::FirstUse);

    // Another authority answers at the same address later.
    let root = site.directory("other");
    let other = init(&root, &InitOptions::local(AdminId::new("mallory").unwrap(), now())).unwrap();
    let certificate = Arc::new(Certificate::load(&other.master()).unwrap());
    let api = Api::listen("127.0.0.1:0".parse().unwrap(), certificate, site.service.clone()).await.unwrap();
    let options = EnrollOptions {
        masters: vec![format!("https://127.0.0.1:{}", api.address().port())],
        ..EnrollOptions::default()
    };
    let refused = enroll(&stranger, &options, |_| ()).await;
    assert!(matches!(refused, Err(ClientError::Authority { .. })), "{refused:?}");
    // Somebody has compared the pins.
    let options = join(EnrollOptions { pin: Some(site.pin.clone()), ..site.options() });
    timeout(PATIENCE, enroll(&stranger, &options, |_| ())).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_master_is_passed_over() {
    let site = site(&[token_rule()]).await;
    let mut options =
        EnrollOptions { pin: Some(site.pin.clone()), token: Some("join-us".into()), ..site.options() };
    options.masters.insert(0, "https://127.0.0.1:1".into());
    let mut troubles = 0;
    let machine = site.machine("web-1");
    let granted = enroll(&machine, &options, |s| troubles += u32::from(matches!(s, Step::Trouble { .. })));
    timeout(PATIENCE, granted).await.unwrap().unwrap();
    assert_eq!(troubles, 1);
}

const STRANGER: &str = r#"
import http.client, json, socket, ssl, sys, time
port = int(sys.argv[1])
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
def ask(method, path, body=None, headers={}):
    c = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    c.request(method, path, body, {"Content-Type": "application/json", **headers})
    r = c.getresponse()
    return r.status, r.read(), r.headers
out = {}
out["nonce"] = ask("POST", "/v1/nonce", "{}")[0]
out["authority"] = b"BEGIN CERTIFICATE" in ask("GET", "/v1/authority")[1]
out["nothing"] = ask("GET", "/")[0]
out["method"] = ask("GET", "/v1/enroll")[0]
try:
    out["large"] = ask("POST", "/v1/enroll", json.dumps({"signed": "A" * 100000}))[0]
except (ssl.SSLError, ConnectionError):
    # Hung up before it was sent.
    out["large"] = 413
out["no json"] = ask("POST", "/v1/enroll", "x")[0]
out["no base64"] = ask("POST", "/v1/enroll", json.dumps({"signed": "!"}))[0]
out["other fields"] = ask("POST", "/v1/enroll", json.dumps({"signed": "", "x": 1}))[0]
out["unsigned"] = ask("POST", "/v1/enroll", json.dumps({"signed": "gA=="}))[0]
old = ssl.create_default_context()
old.check_hostname = False
old.verify_mode = ssl.CERT_NONE
old.maximum_version = ssl.TLSVersion.TLSv1_2
try:
    old.wrap_socket(socket.create_connection(("127.0.0.1", port), 20)).close()
    out["tls 1.2"] = "accepted"
except (ssl.SSLError, ConnectionError):
    out["tls 1.2"] = "refused"
plain = socket.create_connection(("127.0.0.1", port), 20)
plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
out["plain"] = b"HTTP" in plain.recv(100)
connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
for n in range(1000):
    connection.request("POST", "/v1/nonce", "{}")
    r = connection.getresponse()
    r.read()
    if r.status == 429:
        out["limited"] = int(r.headers["Retry-After"]) > 0
        break
print(json.dumps(out))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_little() {
    let site = site(&[]).await;
    let port = site.api.address().port().to_string();
    let asked = tokio::task::spawn_blocking(move || {
        Command::new(environment().join("bin/python")).args(["-c", STRANGER, &port]).output().unwrap()
    });
    let output = asked.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "nonce": 200, "authority": true, "nothing": 404, "method": 405, "large": 413, "no json": 400,
        "no base64": 400, "other fields": 422, "unsigned": 401, "tls 1.2": "refused", "plain": false, "limited": true,
    });
    assert_eq!(found, expected);
    assert!(site.service.list().await.unwrap().is_empty());
}
