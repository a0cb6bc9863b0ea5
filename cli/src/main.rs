//! The `zester` command: arguments in, presentation out.

mod command;
mod fleet;
mod known;
mod options;
mod output;
mod write;

use clap::Parser;
use options::{Cli, Command};
use output::{Exit, Failure};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
        Command::Fmt(args) => command::fmt::run(common, args),
        Command::Apply(args) => command::apply::run(common, args),
        Command::Plan(args) => command::plan::run(common, args),
        Command::Diff(args) => command::diff::run(common, args),
        Command::Graph(args) => command::graph::run(common, args),
        Command::Render(args) => command::render::run(common, args),
        Command::Explain(args) => command::explain::run(common, args),
        Command::Doc(args) => command::doc::run(common, args),
        Command::Settings(args) => command::settings::run(common, args),
        Command::Facts(args) => command::facts::run(common, args),
        Command::Completions(args) => command::completions::run(args),
        Command::Lsp(args) => command::lsp::run(common, args),
        Command::Run(args) => command::run::run(common, args),
        Command::Orch(args) => command::orch::run(common, args),
        Command::Job(args) => command::job::run(common, args),
        Command::Publish(args) => command::publish::run(common, args),
        Command::Init(args) => command::init::run(common, args),
        Command::Setup(args) => command::setup::run(args),
        Command::Master(args) => command::master::run(args),
        Command::Peel(args) => command::peel::run(common, args),
        Command::Migrate(args) => command::migrate::run(common, args),
        Command::Secret(args) => command::secret::run(common, args),
        Command::Ca(args) => command::ca::run(common, args),
        Command::Basket(args) => command::basket::run(common, args),
        Command::Kv(args) => command::kv::run(common, args),
        Command::Event(args) => command::event::run(common, args),
        Command::Doctor(args) => command::doctor::run(common, args),
        Command::Auth(args) => command::auth::run(common, args),
        Command::Enroll(args) => command::enroll::run(common, args),
        Command::Lab(args) => command::lab::run(common, args),
        Command::Target(words) => command::run::target_form(common, words),
    }
}
