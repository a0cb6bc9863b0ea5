//! `zester completions`

use crate::{
    options::Cli,
    output::{Exit, Failure, print},
};
use clap::{Args, CommandFactory};

/// Completions for a shell, to be put where the shell looks for them.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Runs the command.
pub fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zester", &mut text);
    print(&String::from_utf8_lossy(&text));
    Ok(Exit::Fine)
}
