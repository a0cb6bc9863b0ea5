//! A return that fits a message: what people need most is kept longest.

use super::message::{JobOutcome, JobReturn};
use crate::{
    bus::codec::{self, CodecError},
    runner::Outcome,
};
use zester_compiler::types::{Map, Value};

/// Texts of changes and comments are cut to this many bytes in the first step.
const LONG_TEXT: usize = 4_096;
/// In the second.
const SHORT_TEXT: usize = 160;

/// The encoding of a return in at most `limit` bytes. What is left out: first the ends of long texts, then the changes of states, then the
/// states in which nothing happened, then all of them but their counts. `truncated` says so.
pub fn encode_within(result: &JobReturn, limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut bytes = codec::encode(result)?;
    let mut result = std::borrow::Cow::Borrowed(result);
    for step in [shorten::<LONG_TEXT>, shorten::<SHORT_TEXT>, drop_changes, drop_quiet, drop_all] {
        if bytes.len() <= limit {
            break;
        }
        let result = result.to_mut();
        result.truncated = true;
        step(result);
        bytes = codec::encode(result)?;
    }
    Ok(bytes)
}

fn shorten<const TO: usize>(result: &mut JobReturn) {
    match &mut result.outcome {
        JobOutcome::States(states) => {
            for state in &mut states.states {
                cut(&mut state.comment, TO);
                state.changes.values_mut().for_each(|v| cut_value(v, TO));
            }
        }
        JobOutcome::Value(value) => cut_value(value, TO),
        JobOutcome::Nothing => {}
    }
    if let Some(error) = &mut result.error {
        cut(error, TO);
    }
}

fn drop_changes(result: &mut JobReturn) {
    match &mut result.outcome {
        JobOutcome::States(states) => states.states.iter_mut().for_each(|s| s.changes = Map::new()),
        JobOutcome::Value(_) => {
            result.outcome = JobOutcome::Nothing;
            result.error.get_or_insert_with(|| "the returned value does not fit a message".to_owned());
        }
        JobOutcome::Nothing => {}
    }
}

fn drop_quiet(result: &mut JobReturn) {
    if let JobOutcome::States(states) = &mut result.outcome {
        states.states.retain(|s| !matches!(s.result, Outcome::Unchanged | Outcome::Skipped));
    }
}

fn drop_all(result: &mut JobReturn) {
    if let JobOutcome::States(states) = &mut result.outcome {
        states.states.clear();
    }
}

fn cut_value(value: &mut Value, to: usize) {
    match value {
        Value::Str(text) => cut(text, to),
        Value::List(items) => items.iter_mut().for_each(|i| cut_value(i, to)),
        Value::Map(map) => map.values_mut().for_each(|i| cut_value(i, to)),
        _ => {}
    }
}

fn cut(text: &mut String, to: usize) {
    if text.len() <= to {
        return;
    }
    let left_out = text.len() - to;
    let mut end = to;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(&format!("… ({left_out} more bytes)"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::message::{PeelStatus, VERSION};

    #[test]
    fn any_return_fits() {
        let of = |outcome| JobReturn {
            v: VERSION,
            status: PeelStatus::Done,
            epoch: 1,
            started_ms: None,
            finished_ms: 0,
            outcome,
            error: None,
            truncated: false,
        };
        let small = of(JobOutcome::Value(Value::Str("x".into())));
        let read = |bytes: &[u8]| codec::decode::<JobReturn>(bytes).unwrap();
        assert_eq!(read(&encode_within(&small, 1000).unwrap()), small);
        let large = of(JobOutcome::Value(Value::Str("ä".repeat(1_000_000))));
        let bytes = encode_within(&large, 10_000).unwrap();
        assert!(bytes.len() <= 10_000 && read(&bytes).truncated);
        let many = of(JobOutcome::Value(Value::List(vec![Value::Null; 1_000_000])));
        let bytes = encode_within(&many, 10_000).unwrap();
        assert!(bytes.len() <= 10_000 && read(&bytes).error.is_some());
    }
}
