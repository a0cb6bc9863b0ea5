//! The `zester` command: arguments in, presentation out.

mod command;
mod options;
mod output;

use clap::Parser;
use options::{Cli, Command};
use output::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("zester: this is a bug of ours, please report it: {info}");
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Fine.into();
            }
            // The arguments could not be read, so what form the answer should have is only looked for.
            if options::asks_for_json(std::env::args_os().skip(1)) {
                let text = error.render().to_string();
                let text = text.lines().next().unwrap_or_default();
                Failure::new(text.strip_prefix("error: ").unwrap_or(text)).print(true);
            } else {
                let _ = error.print();
            }
            return Exit::Usage.into();
        }
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&cli)));
    match result {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) => {
            failure.print(cli.json());
            Exit::Usage.into()
        }
        Err(_) => Exit::Bug.into(),
    }
}

fn run(cli: &Cli) -> Result<Exit, Failure> {
    let common = &cli.common;
    match &cli.command {
        Command::Check(args) => command::check::run(common, args),
        Command::Apply(args) => command::apply::run(common, args),
        Command::Plan(args) => command::plan::run(common, args),
        Command::Render(args) => command::render::run(common, args),
        Command::Explain(args) => command::explain::run(common, args),
        Command::Doc(args) => command::doc::run(common, args),
        Command::Settings(args) => command::settings::run(common, args),
        Command::Facts(args) => command::facts::run(common, args),
        Command::Completions(args) => command::completions::run(args),
    }
}
