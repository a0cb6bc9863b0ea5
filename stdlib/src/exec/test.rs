//! `test.*`: functions without a purpose of their own.

use crate::Library;
use zester_compiler::types::{Map, Value};

exec! {
    /// Answers `true`: the peel is there.
    "test.ping" pure Ping {} |_, _| Ok(Value::Bool(true))
}

exec! {
    /// Gives its argument back.
    "test.echo" pure Echo {
        /// What to give back.
        text: Value,
    } |it, _| Ok(it.text.clone())
}

exec! {
    /// The version of Zester.
    "test.version" pure Version {} |_, _| Ok(env!("CARGO_PKG_VERSION").into())
}

exec! {
    /// `true`
    "test.true" pure True {} |_, _| Ok(Value::Bool(true))
}

exec! {
    /// `false`
    "test.false" pure False {} |_, _| Ok(Value::Bool(false))
}

exec! {
    /// Gives its arguments back.
    "test.arg" pure Arg {
        /// Positional ones.
        args: Vec<Value>,
        /// Named ones.
        #[arg(rest)]
        kwargs: Map,
    } |it, _| Ok(Value::Map(Map::from_iter([
        ("args".to_owned(), it.args.clone().into()),
        ("kwargs".to_owned(), it.kwargs.clone().into()),
    ])))
}

exec! {
    /// Gives its named arguments back.
    "test.kwarg" pure Kwarg {
        /// Named ones.
        #[arg(rest)]
        kwargs: Map,
    } |it, _| Ok(it.kwargs.clone().into())
}

exec! {
    /// Waits, at most an hour.
    "test.sleep" probe Sleep {
        /// Seconds.
        length: f64,
    } |it, cx| {
        let mut left = it.length.clamp(0.0, 3_600.0);
        while left > 0.0 && !cx.cancel.is_cancelled() {
            let step = left.min(0.1);
            std::thread::sleep(std::time::Duration::from_secs_f64(step));
            left -= step;
        }
        Ok(Value::Bool(true))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Ping>()
        .exec::<Echo>()
        .exec::<Version>()
        .exec::<True>()
        .exec::<False>()
        .exec::<Arg>()
        .exec::<Kwarg>()
        .exec::<Sleep>();
}
