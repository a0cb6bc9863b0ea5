//! What templates may call when a plan is made for another machine: nothing that would have to look at it.

use crate::{
    template::Functions,
    types::{Effect, Map, Value},
};
use std::{cell::RefCell, sync::Arc};

thread_local! {
    /// Functions that were asked for on this thread and could not be answered.
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Takes what could not be answered since the last time.
pub(super) fn take_asked() -> Vec<String> {
    let mut asked = ASKED.take();
    asked.sort();
    asked.dedup();
    asked
}

/// How many questions could not be answered since the last time they were taken.
pub(super) fn asked_count() -> usize {
    ASKED.with_borrow(Vec::len)
}

/// Functions of which only the pure ones answer.
pub(super) struct Elsewhere(pub Arc<dyn Functions>);

impl Functions for Elsewhere {
    fn effect(&self, name: &str) -> Option<Effect> {
        self.0.effect(name)
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }

    fn call(&self, name: &str, args: &[Value], kwargs: &Map) -> Result<Value, String> {
        match self.0.effect(name) {
            None | Some(Effect::Pure) => self.0.call(name, args, kwargs),
            Some(_) => {
                ASKED.with_borrow_mut(|asked| asked.push(name.to_owned()));
                Err(format!("`{name}` asks the machine itself, and this is the plan of another one"))
            }
        }
    }
}
