//! Events that came since an orchestration began, until a step takes them.

use crate::operator::Happened;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use zester_compiler::{
    target::Glob,
    types::{Map, Value},
};
use zester_stdlib::{
    Cancel,
    zester::{Event, Wait},
};

/// Events that are kept at most.
const MAX_EVENTS: usize = 10_000;
/// Bytes of events that are kept at most.
const MAX_BYTES: usize = 16 << 20;
/// How often what came, and the end of the run, is looked for: not at each event, of which thousands may come in a second.
const LOOK: Duration = Duration::from_millis(50);

/// What came and was not taken yet.
#[derive(Default)]
pub struct Mailbox {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<(Event, usize)>,
    bytes: usize,
    /// The oldest ones, for which there was no room.
    dropped: u64,
    /// Nothing will come any more.
    closed: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what happened. Where there is no room the oldest go, and are counted.
    pub fn put(&self, happened: Happened) {
        let Happened { origin, tag, message, size } = happened;
        let data = message.get("data").filter(|data| data.is_object()).unwrap_or(&message);
        let data: Map = serde_json::from_value(data.clone()).unwrap_or_default();
        let mut kept = self.lock();
        let size = size + origin.len() + tag.len();
        kept.bytes += size;
        kept.events.push_back((Event { origin, tag, data }, size));
        while kept.events.len() > MAX_EVENTS || kept.bytes > MAX_BYTES {
            let Some((_, size)) = kept.events.pop_front() else { break };
            kept.bytes -= size;
            kept.dropped += 1;
        }
    }

    /// Nothing comes any more.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    /// Waits until all that is waited for has come, and takes it; what has come stays where not all has.
    pub fn take(&self, wait: &Wait, cancel: &Cancel) -> Result<Vec<Event>, String> {
        let glob = Glob::new(&wait.tag).map_err(|e| format!("the tag `{}` cannot be read: {e}", wait.tag))?;
        let end = Instant::now() + Duration::from_secs_f64(wait.timeout_s.clamp(0.0, 86_400.0));
        loop {
            let mut kept = self.lock();
            let (found, missing) = kept.look(wait, &glob);
            if missing.is_empty() {
                return Ok(kept.remove(found));
            }
            if cancel.is_cancelled() {
                return Err("interrupted while events were waited for".to_owned());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || kept.closed {
                return Err(kept.missed(wait, &missing, found.len()));
            }
            drop(kept);
            std::thread::sleep(left.min(LOOK));
        }
    }
}

impl Kept {
    /// Places of the events that are waited for, and whose did not come; without ids that is the tag.
    fn look<'w>(&self, wait: &'w Wait, glob: &Glob) -> (Vec<usize>, Vec<&'w str>) {
        let mut missing: BTreeSet<&str> = wait.ids.iter().map(String::as_str).collect();
        let any = missing.is_empty();
        if any {
            missing.insert(&wait.tag);
        }
        let mut found = Vec::new();
        for (place, (event, _)) in self.events.iter().enumerate() {
            if missing.is_empty() {
                break;
            }
            if !glob.matches(&event.tag) {
                continue;
            }
            if any {
                missing.clear();
                found.push(place);
                continue;
            }
            // Who sent it is what the server says; anything else in it is the sender's word.
            let id = match wait.id_key.as_str() {
                "id" => Some(event.origin.clone()),
                key => event.data.get(key).map(Value::to_string),
            };
            if id.is_some_and(|id| missing.remove(id.as_str())) {
                found.push(place);
            }
        }
        (found, missing.into_iter().collect())
    }

    fn remove(&mut self, mut places: Vec<usize>) -> Vec<Event> {
        let mut taken = Vec::with_capacity(places.len());
        places.sort_unstable();
        for place in places.into_iter().rev() {
            if let Some((event, size)) = self.events.remove(place) {
                self.bytes -= size;
                taken.push(event);
            }
        }
        taken.reverse();
        taken
    }

    fn missed(&self, wait: &Wait, missing: &[&str], came: usize) -> String {
        let of = if wait.ids.is_empty() { String::new() } else { format!(" of {}", missing.join(", ")) };
        let came = if came > 0 { format!("; {came} came") } else { String::new() };
        let dropped = match self.dropped {
            0 => String::new(),
            count => format!("; {count} older events were dropped, for there were too many"),
        };
        let closed = if self.closed { "; the connection was closed" } else { "" };
        format!("no event `{}`{of} came within {} seconds{came}{dropped}{closed}", wait.tag, wait.timeout_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn happened(origin: &str, tag: &str) -> Happened {
        let message = json!({"v": 1, "data": {"node": format!("n-{origin}")}});
        Happened { origin: origin.to_owned(), tag: tag.to_owned(), message, size: 100 }
    }

    fn wait(tag: &str, ids: &[&str]) -> Wait {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Wait { tag: tag.to_owned(), ids, id_key: "id".to_owned(), timeout_s: 0.05 }
    }

    #[test]
    fn each_event_serves_one_step() {
        let mailbox = Mailbox::default();
        for peel in ["a", "b", "b"] {
            mailbox.put(happened(peel, "deploy.done"));
        }
        let cancel = Cancel::default();
        let told = |taken: Result<Vec<Event>, String>| {
            taken.map(|events| events.into_iter().map(|e| e.origin).collect::<Vec<_>>())
        };
        // Not all came: what did stays for a second attempt.
        let error = told(mailbox.take(&wait("deploy.*", &["a", "c"]), &cancel)).unwrap_err();
        assert_eq!(error, "no event `deploy.*` of c came within 0.05 seconds; 1 came");
        assert_eq!(
            told(mailbox.take(&wait("deploy.*", &["b", "a"]), &cancel)),
            Ok(vec!["a".into(), "b".into()])
        );
        assert_eq!(told(mailbox.take(&wait("deploy.done", &[]), &cancel)), Ok(vec!["b".into()]));
        assert!(told(mailbox.take(&wait("deploy.done", &[]), &cancel)).is_err());
    }

    #[test]
    fn an_id_of_the_data_is_its_own_key() {
        let mailbox = Mailbox::default();
        mailbox.put(happened("a", "x"));
        let by = |key: &str, id: &str| {
            let wait = Wait { id_key: key.to_owned(), ..wait("x", &[id]) };
            mailbox.take(&wait, &Cancel::default()).is_ok()
        };
        assert!(!by("id", "n-a"));
        assert!(!by("other", "n-a"));
        assert!(by("node", "n-a"));
    }

    #[test]
    fn it_is_bounded_and_says_so() {
        let mailbox = Mailbox::default();
        for _ in 0..MAX_EVENTS + 5 {
            mailbox.put(happened("a", "noise"));
        }
        mailbox.put(Happened { size: MAX_BYTES - 100, ..happened("a", "large") });
        let kept = mailbox.lock();
        assert!(kept.events.len() <= MAX_EVENTS && kept.bytes <= MAX_BYTES, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.events.iter().map(|(_, size)| size).sum::<usize>());
        drop(kept);
        let error = mailbox.take(&wait("deploy", &[]), &Cancel::default()).unwrap_err();
        assert!(error.contains("older events were dropped"), "{error}");
    }

    #[test]
    fn a_wait_ends_with_the_run_and_with_the_connection() {
        let mailbox = Mailbox::default();
        let cancel = Cancel::default();
        cancel.cancel();
        let long = Wait { timeout_s: 80_000.0, ..wait("x", &[]) };
        assert!(mailbox.take(&long, &cancel).unwrap_err().starts_with("interrupted"));
        mailbox.close();
        assert!(mailbox.take(&long, &Cancel::default()).unwrap_err().ends_with("the connection was closed"));
    }
}
