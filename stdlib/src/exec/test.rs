//! `test.*`: functions without a purpose of their own.

use crate::{Context, Library};
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

/// Waits so many seconds, at most an hour, or until the run is cancelled.
fn wait(cx: &Context, seconds: f64) {
    let mut left = seconds.clamp(0.0, 3_600.0);
    while left > 0.0 && !cx.cancel.is_cancelled() {
        let step = left.min(0.1);
        std::thread::sleep(std::time::Duration::from_secs_f64(step));
        left -= step;
    }
}

exec! {
    /// Waits, at most an hour.
    "test.sleep" probe Sleep {
        /// Seconds.
        length: f64,
    } |it, cx| {
        wait(cx, it.length);
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Gives its arguments back as texts.
    "test.arg_repr" pure ArgRepr {
        /// Positional ones.
        args: Vec<Value>,
        /// Named ones.
        #[arg(rest)]
        kwargs: Map,
    } |it, _| Ok(Value::Map(Map::from_iter([
        ("args".to_owned(), Value::from(it.args.clone()).to_string().into()),
        ("kwargs".to_owned(), Value::from(it.kwargs.clone()).to_string().into()),
    ])))
}

/// The name of a value's type, as the language says it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "str",
        Value::List(_) => "list",
        Value::Map(_) => "map",
    }
}

exec! {
    /// Gives the types of its arguments: what a quoted number becomes on its way.
    "test.arg_type" pure ArgType {
        /// Positional ones.
        args: Vec<Value>,
        /// Named ones.
        #[arg(rest)]
        kwargs: Map,
    } |it, _| Ok(Value::Map(Map::from_iter([
        ("args".to_owned(), it.args.iter().map(type_name).collect::<Vec<_>>().into()),
        ("kwargs".to_owned(), Value::Map(
            it.kwargs.iter().map(|(name, value)| (name.clone(), type_name(value).into())).collect(),
        )),
    ])))
}

/// Most numbers of a list that is made for a test.
const STEPS_LIMIT: usize = 10_000;

exec! {
    /// The numbers from a start on to 1: half of an even one, three times an odd one and one more.
    "test.collatz" pure Collatz {
        /// The start.
        start: u32,
    } |it, _| {
        let mut steps = Vec::new();
        let mut number = i64::from(it.start);
        while number > 1 && steps.len() < STEPS_LIMIT {
            steps.push(Value::Int(number));
            number = if number % 2 == 0 { number / 2 } else { number * 3 + 1 };
        }
        steps.push(Value::Int(number));
        Ok(Value::List(steps))
    }
}

exec! {
    /// A Fibonacci number: 0, 1, 1, 2, 3, 5, …
    "test.fib" pure Fib {
        /// Which one.
        num: u32,
    } |it, _| {
        let (mut this, mut next) = (0_i64, 1_i64);
        for _ in 0..it.num {
            let sum = this.checked_add(next).ok_or_else(|| {
                format!("`num` is {}; numbers from the 92nd on are too large", it.num)
            })?;
            (this, next) = (next, sum);
        }
        Ok(Value::Int(this))
    }
}

exec! {
    /// Waits some seconds, drawn by lot.
    "test.rand_sleep" probe RandSleep {
        /// Most seconds, at most an hour.
        #[arg(default = 60_i64)]
        max: u32,
    } |it, cx| {
        let bytes = crate::random::bytes(2)?;
        let share = bytes.iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte)) / 65_535.0;
        wait(cx, f64::from(it.max) * share);
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Fails with these words.
    "test.exception" pure Exception {
        /// The words.
        #[arg(default = "Test Exception")]
        message: String,
    } |it, _| Err(it.message.clone())
}

exec! {
    /// Fails unless this is true.
    "test.assertion" pure Assertion {
        /// What must be true.
        assertion: bool,
    } |it, _| if it.assertion { Ok(Value::Bool(true)) } else { Err("the assertion does not hold".to_owned()) }
}

exec! {
    /// A checksum of something that nobody knows.
    "test.random_hash" probe RandomHash {
        /// How large the random part is.
        #[arg(inert = "it has 256 bits, always")]
        size: Option<Value>,
        /// `sha256`, `md5`, …
        #[arg(default = "sha256")]
        hash_type: String,
    } |it, _| {
        let algorithm = super::hashutil::algorithm(&it.hash_type)?;
        Ok(crate::source::hash_of(algorithm, &crate::random::bytes(32)?).into())
    }
}

exec! {
    /// The name of what provides a module on this machine: `apt` for `pkg`, `systemd` for `service`.
    "test.provider" probe Provider {
        /// The module.
        module: String,
    } |it, cx| match it.module.as_str() {
        "pkg" => Ok((cx.machine.packages)()?.name().into()),
        "service" => Ok((cx.machine.services)()?.name().into()),
        other => Ok(other.into()),
    }
}

exec! {
    /// Versions of Zester and of the machine, as text.
    "test.versions" probe Versions {} |_, _| {
        let uname = rustix::system::uname();
        Ok(format!(
            "Zester: {}\nSystem: {} {} {}",
            env!("CARGO_PKG_VERSION"),
            uname.sysname().to_string_lossy(),
            uname.release().to_string_lossy(),
            uname.machine().to_string_lossy(),
        ).into())
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
        .exec::<Sleep>()
        .exec::<ArgRepr>()
        .exec::<ArgType>()
        .exec::<Collatz>()
        .exec::<Fib>()
        .exec::<RandSleep>()
        .exec::<Exception>()
        .exec::<Assertion>()
        .exec::<RandomHash>()
        .exec::<Provider>()
        .exec::<Versions>();
}
