//! A process that replaces a file by `file.managed`, for tests that kill it or leave it no room.
//!
//! `writer loop PATH` writes two contents in turn until it is killed; `writer once PATH LETTER COUNT` writes one and
//! prints what went wrong.

use std::process::ExitCode;
use zester_compiler::types::{Map, Value};
use zester_stdlib::{Context, library, provider::fake::FakeMachine};

fn write(cx: &Context, path: &str, content: String) -> Result<(), String> {
    let args = Map::from_iter([
        ("name".to_owned(), Value::from(path)),
        ("contents".to_owned(), Value::from(vec![content])),
        ("show_changes".to_owned(), Value::Bool(false)),
    ]);
    let state = library().build("file.managed", &args)?;
    let plan = state.plan(cx).map_err(|failure| failure.message)?;
    match plan.apply {
        Some(apply) => apply(cx).map(drop).map_err(|failure| failure.message),
        None => Ok(()),
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let cx = FakeMachine::on_disk().context();
    let result = match words.get(1..) {
        Some(["loop", path]) => loop {
            let done =
                write(&cx, path, "a".repeat(65_536)).and_then(|()| write(&cx, path, "b".repeat(32_768)));
            if done.is_err() {
                break done;
            }
        },
        Some(["once", path, letter, count]) => match count.parse() {
            Ok(count) => write(&cx, path, letter.repeat(count)),
            Err(error) => Err(format!("`{count}`: {error}")),
        },
        _ => Err("expected `loop PATH` or `once PATH LETTER COUNT`".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}
