//! The arguments: what is common to all commands, and the commands.

use crate::{command, output::Failure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, path::PathBuf, sync::Arc};
use zester_compiler::settings::{KeepSealed, Unseal};
use zester_executor::{auth::sealed_text::Keyring, local::LocalOptions};

/// Typed configuration management: check, plan and apply .zy trees.
#[derive(Parser)]
#[command(name = "zester", version, propagate_version = true, disable_help_subcommand = false)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Whether output is for programs.
    pub fn json(&self) -> bool {
        let format = matches!(&self.command, Command::Check(args) if args.format == Some(command::check::Format::Json));
        format || self.common.json()
    }
}

/// Whether arguments that could not be understood ask for JSON.
pub fn asks_for_json(args: impl Iterator<Item = OsString>) -> bool {
    let args: Vec<OsString> = args.collect();
    let json = |value: &str| matches!(value, "json" | "jsonl");
    let mut rest = args.iter().filter_map(|a| a.to_str()).peekable();
    while let Some(arg) = rest.next() {
        let found = match arg.split_once('=') {
            Some(("--output" | "--format", value)) => json(value),
            None if matches!(arg, "--output" | "--format") => rest.peek().is_some_and(|v| json(v)),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// What is asked.
#[derive(Subcommand)]
pub enum Command {
    Check(command::check::CheckArgs),
    Fmt(command::fmt::FmtArgs),
    Apply(command::apply::ApplyArgs),
    Plan(command::plan::PlanArgs),
    Diff(command::diff::DiffArgs),
    Graph(command::graph::GraphArgs),
    Render(command::render::RenderArgs),
    Explain(command::explain::ExplainArgs),
    Doc(command::doc::DocArgs),
    Settings(command::settings::SettingsArgs),
    Facts(command::facts::FactsArgs),
    Secret(command::secret::SecretArgs),
    Migrate(command::migrate::MigrateArgs),
    Completions(command::completions::CompletionsArgs),
    Lsp(command::lsp::LspArgs),
    Run(command::run::RunArgs),
    Orch(command::orch::OrchArgs),
    Job(command::job::JobArgs),
    Publish(command::publish::PublishArgs),
    Init(command::init::InitArgs),
    Setup(command::setup::SetupArgs),
    Master(command::master::MasterArgs),
    Peel(command::peel::PeelArgs),
    Enroll(command::enroll::EnrollArgs),
    Basket(command::basket::BasketArgs),
    Ca(command::ca::CaArgs),
    Kv(command::kv::KvArgs),
    Event(command::event::EventArgs),
    Doctor(command::doctor::DoctorArgs),
    Auth(command::auth::AuthArgs),
    Lab(command::lab::LabArgs),
    /// `zester '<target>' module.function [args…] [name=value…]`: a function on the peels that match.
    #[command(external_subcommand)]
    Target(Vec<String>),
}

/// Forms of output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object per event.
    Jsonl,
    /// YAML.
    Yaml,
}

/// When to colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options that every command takes.
#[derive(Args, Clone)]
pub struct Common {
    /// The project's directory; otherwise the nearest one upward with a zester.yaml, else the current one.
    #[arg(short = 'C', long = "project", value_name = "DIR", global = true)]
    pub project: Option<PathBuf>,
    /// Root of the state tree instead of the configured one; repeatable, the first wins.
    #[arg(long, value_name = "DIR", global = true)]
    pub states: Vec<PathBuf>,
    /// Root of the settings tree instead of the configured one; repeatable.
    #[arg(long = "settings", value_name = "DIR", global = true)]
    pub settings_roots: Vec<PathBuf>,
    /// The environment.
    #[arg(long, value_name = "ENV", global = true)]
    pub env: Option<String>,
    /// Overrides a setting for this run; the value is YAML. Repeatable.
    #[arg(long, value_name = "PATH=VALUE", global = true)]
    pub set: Vec<String>,
    /// A YAML or JSON file of facts, added to or replacing this machine's; a directory of them is an inventory, a file
    /// for each known peel.
    #[arg(long, value_name = "FILE|DIR", global = true)]
    pub facts: Option<PathBuf>,
    /// The peel's id.
    #[arg(long, value_name = "ID", global = true)]
    pub id: Option<String>,
    /// An operator's directory of keys, for commands of the fleet; ~/.config/zester otherwise.
    #[arg(long, value_name = "DIR", env = "ZESTER_ACCESS", global = true)]
    pub access: Option<PathBuf>,
    /// The file of the key that opens sealed secrets of the settings.
    #[arg(long, value_name = "FILE", env = "ZESTER_SECRET_KEY", global = true)]
    pub secret_key: Option<PathBuf>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub output: Output,
    /// Colours.
    #[arg(long, value_enum, default_value = "auto", global = true)]
    pub color: Color,
    /// Shows more: states with nothing to change too.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Shows only what went wrong.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// No live progress.
    #[arg(long, global = true)]
    pub no_progress: bool,
}

impl Common {
    /// Whether output is for programs.
    pub fn json(&self) -> bool {
        matches!(self.output, Output::Json | Output::Jsonl)
    }

    /// These options with those that stand behind a target.
    pub fn with(&self, later: Self) -> Self {
        let said = |one: &Option<PathBuf>, other: &Option<PathBuf>| one.clone().or_else(|| other.clone());
        Self {
            project: said(&later.project, &self.project),
            access: said(&later.access, &self.access),
            secret_key: said(&later.secret_key, &self.secret_key),
            output: if later.output == Output::Text { self.output } else { later.output },
            color: if later.color == Color::Auto { self.color } else { later.color },
            verbose: self.verbose || later.verbose,
            quiet: self.quiet || later.quiet,
            no_progress: self.no_progress || later.no_progress,
            ..self.clone()
        }
    }

    /// Whether to colour a stream.
    pub fn colored(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }

    /// What the executor needs to know.
    pub fn local(&self, test: bool) -> LocalOptions {
        LocalOptions {
            project: self.project.clone(),
            states: self.states.clone(),
            settings: self.settings_roots.clone(),
            extensions: Vec::new(),
            env: self.env.clone(),
            set: self.set.clone(),
            facts: self.facts.clone(),
            id: self.id.clone(),
            test,
            unseal: None,
        }
    }

    /// The keys of `--secret-key`.
    pub fn keyring(&self) -> Result<Option<Keyring>, Failure> {
        let Some(path) = &self.secret_key else { return Ok(None) };
        Keyring::load(path).map(Some).map_err(|e| Failure::new(e.to_string()))
    }

    /// As [`Self::local`], for a run that needs its secrets: without a key, settings that are sealed are errors.
    pub fn local_with_secrets(&self, test: bool) -> Result<LocalOptions, Failure> {
        let unseal = self.keyring()?.map(|ring| Arc::new(ring) as Arc<dyn Unseal>);
        Ok(LocalOptions { unseal, ..self.local(test) })
    }

    /// As [`Self::local`], where secrets are not shown anyway: without a key, those that are sealed stay so.
    pub fn local_without_secrets(&self) -> Result<LocalOptions, Failure> {
        let options = self.local_with_secrets(true)?;
        let unseal = options.unseal.clone().unwrap_or_else(|| Arc::new(KeepSealed));
        Ok(LocalOptions { unseal: Some(unseal), ..options })
    }
}
