//! The basket: what this peel publishes for the others (`basket_functions`, `mine_functions` of its settings), and what it reads of theirs.
//!
//! One key a peel, so that the bucket is as large as the fleet. Who matches a target says a master; what they publish is read by direct get.
//! Answers are remembered on the disk: a peel that is alone renders what it rendered before, and what it never knew is an error, not nothing.

use super::{Shared, jittered, schedule::entry::milliseconds};
use crate::{
    auth::private::{self, Mode},
    bus::{
        Bucket, Bus, codec,
        id::PeelId,
        subject::{self, Verb},
    },
    job::message::{Call, ResolveRequest, ResolveResponse, VERSION},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use zester_compiler::types::{Map, Value};
use zester_stdlib::{Cancel, Peers};

/// Between two publications where nothing else is said.
const EVERY: Duration = Duration::from_secs(300);
/// The shortest pause between two publications.
const SHORTEST: Duration = Duration::from_secs(5);
/// The largest value that is published, in bytes: what the bucket takes.
const MAX_BYTES: usize = 120 << 10;
/// How long a template waits for the others' data.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer is used again for so long: one run asks the same more than once.
const FRESH: Duration = Duration::from_secs(5);
/// Keys that are read at a time.
const AT_ONCE: usize = 32;
/// Answers that are remembered.
const MAX_KNOWN: usize = 256;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Publishes until the end.
pub(super) async fn publish(shared: Arc<Shared>) {
    let mut sent: Option<Vec<u8>> = None;
    let mut enforced = shared.enforced.subscribe();
    let mut refresh = shared.host.refresh.subscribe();
    let mut session = 0;
    loop {
        let in_thread = shared.clone();
        let gathered = tokio::task::spawn_blocking(move || gather(&in_thread)).await;
        let Ok(gathered) = gathered else { return };
        let mut every = EVERY;
        match gathered {
            Ok(None) => {}
            Ok(Some((values, pause))) => {
                every = pause;
                match codec::encode(&values) {
                    Ok(bytes) if bytes.len() > MAX_BYTES => {
                        tracing::warn!(peel = %shared.id(), bytes = bytes.len(), "what the settings publish is too much; at most {MAX_BYTES} bytes are kept of a peel");
                    }
                    Ok(bytes) if sent.as_ref() != Some(&bytes) => {
                        let stored =
                            shared.bus.kv(Bucket::Basket).put(shared.id().as_str(), bytes.clone()).await;
                        match stored {
                            Ok(_) => sent = Some(bytes),
                            Err(error) => tracing::debug!(%error, "the basket is not filled yet"),
                        }
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "the basket cannot be encoded"),
                }
            }
            Err(error) => tracing::debug!(%error, "nothing can be published for others now"),
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(every)) => {}
            _ = enforced.changed() => {}
            _ = refresh.changed() => {}
            connected = shared.bus.reconnected(session) => match connected {
                // A bucket that was lost is filled again.
                Ok(now) => { if now > 1 { sent = None; } session = now; }
                Err(_) => return,
            },
            () = shared.stopped() => return,
        }
    }
}

/// What the settings say is published, and how soon again; nothing where they say nothing.
fn gather(shared: &Shared) -> Result<Option<(Map, Duration)>, String> {
    if shared.host.trees.revision().is_none() {
        return Ok(None);
    }
    let (settings, mask) = shared.host.settings()?;
    let of = |key: &str| settings.as_map().and_then(|m| m.get(key)).and_then(Value::as_map).cloned();
    let mut wanted = of("mine_functions").unwrap_or_default();
    wanted.extend(of("basket_functions").unwrap_or_default());
    if wanted.is_empty() {
        return Ok(None);
    }
    let facts = shared.host.facts()?;
    let (mut values, mut every) = (Map::new(), EVERY);
    for (name, how) in wanted {
        let (call, interval) = call(&name, &how);
        if let Some(interval) = interval {
            every = every.min(interval.max(SHORTEST));
        }
        let value = if shared.host.knows(&call.function) {
            let ended = shared.host.run(&call, &Cancel::default(), &crate::runner::Silent);
            match (ended.outcome, ended.error) {
                (crate::job::message::JobOutcome::Value(value), None) => Ok(value),
                (_, error) => Err(error.unwrap_or_else(|| "it gives nothing".to_owned())),
            }
        } else {
            facts
                .get(&call.function)
                .cloned()
                .ok_or_else(|| "there is neither a function nor a fact of this name".to_owned())
        };
        match value {
            // Secrets of the settings go to nobody.
            Ok(value) => {
                values.insert(name, mask.value(value));
            }
            Err(error) => tracing::warn!(peel = %shared.id(), name, %error, "it is not published for others"),
        }
    }
    Ok(Some((values, every)))
}

/// The call behind an entry: Salt's forms (arguments, `mine_function`), and the Go implementation's (an interval).
fn call(name: &str, how: &Value) -> (Call, Option<Duration>) {
    let mut call = Call { function: name.to_owned(), ..Call::default() };
    let mut interval = None;
    let named = |map: &Map, call: &mut Call| {
        for (key, value) in map {
            match (key.as_str(), value) {
                ("mine_function", Value::Str(function)) => call.function.clone_from(function),
                // Who may read it: all peels may read all of the basket here.
                ("allow_tgt" | "allow_tgt_type", _) => {}
                _ => {
                    call.kwargs.insert(key.clone(), value.clone());
                }
            }
        }
    };
    match how {
        Value::Null => {}
        Value::Str(text) => match milliseconds("interval", how, 1_000) {
            Ok(ms) => interval = Some(Duration::from_millis(ms)),
            Err(_) => call.args.push(Value::Str(text.clone())),
        },
        Value::Map(map) => named(map, &mut call),
        Value::List(items) => {
            for item in items {
                match item {
                    Value::Map(map) => named(map, &mut call),
                    other => call.args.push(other.clone()),
                }
            }
        }
        other => call.args.push(other.clone()),
    }
    (call, interval)
}

/// What other peels publish, as templates and functions ask for it.
pub(super) struct Basket {
    bus: Bus,
    me: PeelId,
    path: PathBuf,
    runtime: tokio::runtime::Handle,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By question; as on the disk.
    answers: BTreeMap<String, Map>,
    /// When they were asked for in this life.
    at: BTreeMap<String, Instant>,
}

impl Basket {
    /// With what is remembered in `directory`.
    pub(super) fn open(bus: Bus, me: PeelId, directory: &Path) -> Self {
        let path = directory.join("basket.known");
        let answers = std::fs::read(&path).ok().and_then(|bytes| codec::decode(&bytes).ok());
        let known = Known { answers: answers.unwrap_or_default(), at: BTreeMap::new() };
        Self { bus, me, path, runtime: tokio::runtime::Handle::current(), known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, target: &str, name: &str) -> Result<Map, Problem> {
        let request = ResolveRequest { v: VERSION, expression: target.to_owned() };
        let subject = subject::up(&self.me, Verb::Resolve);
        let answer = self.bus.request_with(&subject, None, codec::encode(&request)?, PATIENCE).await?;
        let answer: ResolveResponse = codec::decode(&answer.payload)?;
        let targets = match (answer.targets, answer.error) {
            (Some(targets), None) => targets,
            (_, error) => {
                return Err(error.unwrap_or_else(|| "the master gives no reason".to_owned()).into());
            }
        };
        if targets.peels.len() as u64 != targets.count {
            return Err(format!("it matches {} peels; ask for fewer at once", targets.count).into());
        }
        let kv = self.bus.kv(Bucket::Basket);
        let found: Vec<(String, Option<Value>)> = stream::iter(targets.peels)
            .map(|peel| {
                let kv = &kv;
                async move {
                    let entry = kv.get(peel.as_str()).await?;
                    // What another peel put there is its word: unreadable is not there.
                    let map: Option<Map> = entry.and_then(|e| codec::decode(&e.value).ok());
                    Ok::<_, Problem>((peel.to_string(), map.and_then(|mut m| m.swap_remove(name))))
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().filter_map(|(peel, value)| Some((peel, value?))).collect())
    }

    fn remember(&self, question: &str, answer: &Map) {
        let mut known = self.known();
        known.at.insert(question.to_owned(), Instant::now());
        if known.answers.get(question) == Some(answer) {
            return;
        }
        if known.answers.len() >= MAX_KNOWN && !known.answers.contains_key(question) {
            let first = known.answers.keys().next().cloned();
            first.map(|first| known.answers.remove(&first));
        }
        known.answers.insert(question.to_owned(), answer.clone());
        let written = codec::encode(&known.answers)
            .map_err(|e| e.to_string())
            .and_then(|bytes| private::replace(&self.path, Mode::Secret, bytes).map_err(|e| e.to_string()));
        if let Err(error) = written {
            tracing::warn!(peel = %self.me, %error, "what others publish cannot be remembered");
        }
    }
}

impl Peers for Basket {
    fn shared(&self, target: &str, kind: &str, name: &str) -> Result<Map, String> {
        let target = in_our_language(target, kind)?;
        let question = format!("{name} {target}");
        {
            let known = self.known();
            let fresh = known.at.get(&question).is_some_and(|at| at.elapsed() < FRESH);
            if let Some(answer) = known.answers.get(&question).filter(|_| fresh) {
                return Ok(answer.clone());
            }
        }
        // Functions run in threads of their own, which may wait.
        let asked = self.runtime.block_on(async {
            if !self.bus.state().borrow().is_connected() {
                return Err("there is no connection".into());
            }
            tokio::time::timeout(PATIENCE, self.ask(&target, name))
                .await
                .unwrap_or_else(|_| Err("no answer came in time".into()))
        });
        match asked {
            Ok(answer) => {
                self.remember(&question, &answer);
                Ok(answer)
            }
            Err(error) => match self.known().answers.get(&question) {
                Some(before) => {
                    tracing::warn!(peel = %self.me, target, name, %error, "what others published before is used");
                    Ok(before.clone())
                }
                None => Err(format!("what `{target}` publishes as `{name}` is not known: {error}")),
            },
        }
    }
}

/// Salt's kinds of targets in the one target language.
fn in_our_language(target: &str, kind: &str) -> Result<String, String> {
    let sigil = match kind {
        "" | "glob" | "compound" => return Ok(target.to_owned()),
        "list" => "L@",
        "grain" => "G@",
        "grain_pcre" => "P@",
        "pcre" => "E@",
        "nodegroup" => "N@",
        "ipcidr" => "S@",
        other => {
            return Err(format!(
                "`{other}` is no kind of target here; it is glob, list, grain, grain_pcre, pcre, nodegroup, ipcidr or compound"
            ));
        }
    };
    Ok(format!("{sigil}{target}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zester_compiler::project::read_yaml;

    #[test]
    fn entries_have_salts_forms_and_an_interval() {
        let of = |name: &str, yaml: &str| call(name, &read_yaml(yaml).unwrap());
        let (plain, none) = of("network.ip_addrs", "");
        assert_eq!((plain.function.as_str(), plain.args.len(), none), ("network.ip_addrs", 0, None));
        let (with, _) = of("network.ip_addrs", "[eth0]");
        assert_eq!(with.args, [Value::from("eth0")]);
        let (alias, _) = of("internal", "[{mine_function: network.ip_addrs}, eth0, {type: private}]");
        assert_eq!(
            (alias.function.as_str(), alias.args.len(), alias.kwargs.len()),
            ("network.ip_addrs", 1, 1)
        );
        let (fact, every) = of("os.family", "5m");
        assert_eq!((fact.function.as_str(), every), ("os.family", Some(Duration::from_secs(300))));
    }

    #[test]
    fn kinds_of_targets() {
        assert_eq!(in_our_language("a,b", "list").unwrap(), "L@a,b");
        assert_eq!(in_our_language("web*", "glob").unwrap(), "web*");
        assert!(in_our_language("x", "pillar").unwrap_err().contains("no kind of target"));
    }
}
