//! `zester graph`

use crate::{
    command::plan,
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::io::IsTerminal;
use zester_compiler::{
    check::{CheckOptions, file_graph},
    ir::Picture,
};
use zester_executor::local::Local;

/// How does it hang together? Draws which files select, include and import each other, or which states wait for which.
#[derive(Args)]
pub struct GraphArgs {
    #[command(subcommand)]
    pub of: Of,
}

/// What is drawn.
#[derive(Subcommand)]
pub enum Of {
    /// The files of the project: what top files select, what files include, import and read.
    Files {
        /// Files or directories, with what they reach; the whole project without any.
        paths: Vec<String>,
        /// The language of the picture.
        #[arg(long, value_enum, default_value = "text")]
        format: Language,
    },
    /// The states of this machine's plan, with their requisites.
    States {
        /// Refs of state files; the highstate without any.
        refs: Vec<String>,
        /// The language of the picture.
        #[arg(long, value_enum, default_value = "text")]
        format: Language,
    },
}

/// Languages of pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Language {
    /// Lines for people.
    Text,
    /// Mermaid
    Mermaid,
    /// Graphviz
    Dot,
}

impl Language {
    /// A picture in this language.
    pub fn draw(self, picture: &Picture) -> String {
        match self {
            Language::Text => picture.text(),
            Language::Mermaid => picture.mermaid(),
            Language::Dot => picture.dot(),
        }
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &GraphArgs) -> Result<Exit, Failure> {
    let local = Local::open(common.local(true), zester_stdlib::Cancel::default())?;
    let (picture, format) = match &args.of {
        Of::Files { paths, format } => {
            let paths = paths
                .iter()
                .map(|path| super::check::relative(&local.root, path))
                .collect::<Result<_, _>>()?;
            let options = CheckOptions { paths, ..CheckOptions::default() };
            let picture = file_graph(&local.project, local.library.registry(), &options)
                .map_err(|e| Failure::new(e.to_string()))?;
            (picture, *format)
        }
        Of::States { refs, format } => {
            let color = common.colored(std::io::stderr().is_terminal());
            let Some((dag, with)) = plan::make(&local, refs, plan::Purpose::Look, common.quiet, color)?
            else {
                return Ok(Exit::Problems);
            };
            (Picture::of_plan(&with.mask.dag(&dag)), *format)
        }
    };
    print(&match common.output {
        Output::Json | Output::Jsonl => {
            let arrows: Vec<_> = picture
                .arrows
                .iter()
                .map(|(from, to, word)| json!({"from": from, "to": to, "kind": word}))
                .collect();
            format!("{}\n", json!({"format_version": "1.0", "nodes": picture.boxes, "edges": arrows}))
        }
        Output::Text | Output::Yaml => format.draw(&picture),
    });
    Ok(Exit::Fine)
}
