//! `zester render`

use crate::{
    options::Common,
    output::{Exit, Failure, findings, print},
};
use clap::Args;
use std::io::IsTerminal;
use zester_compiler::{diagnostic::veiled, project::TreeKind};
use zester_executor::local::Local;

/// What do the templates make of a file? Prints its rendered text, with --origins each line's source before it.
#[derive(Args)]
pub struct RenderArgs {
    /// A file of the project, or the ref of a state file (`web.config`).
    pub file: String,
    /// Puts the source's file, line and column before each line.
    #[arg(long)]
    pub origins: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &RenderArgs) -> Result<Exit, Failure> {
    let local = Local::open(common.local_without_secrets()?, zester_stdlib::Cancel::default())?;
    let color = common.colored(std::io::stderr().is_terminal());
    let path = file(&local, common, &args.file)?;
    let facts = local.facts()?;
    let (settings, mut diagnostics) = local.settings()?;
    local.report_problems();
    let failed = diagnostics.iter().any(|d| d.is_error());
    let rendered = if failed {
        None
    } else {
        match local.render(&path, &facts, &settings.value) {
            Ok(rendered) => Some(rendered),
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        }
    };
    let mask = settings.mask();
    mask.diagnostics(&mut diagnostics);
    findings(&diagnostics, local.project.files(), color);
    let Some(rendered) = rendered else { return Ok(Exit::Problems) };
    if !args.origins {
        print(&mask.text(veiled(&rendered.text, &[]).into_owned()));
        return Ok(Exit::Fine);
    }
    let mut text = String::new();
    let mut offset = 0;
    // Of another peel's settings file too.
    let shown = veiled(&rendered.text, &[]);
    for (line, shown) in rendered.text.split_inclusive('\n').zip(shown.split_inclusive('\n')) {
        let lead = line.len() - line.trim_start().len();
        let at = if lead < line.len() { offset + lead } else { offset };
        let place = rendered.provenance.origin(at).map(|place| {
            let (file, at) = local.project.files().locate(place.span);
            format!("{file}:{}:{}", at.line, at.column)
        });
        text.push_str(&format!("{:40} | {shown}", place.unwrap_or_default()));
        offset += line.len();
    }
    print(&mask.text(text));
    Ok(Exit::Fine)
}

/// The file that a path or a ref names.
fn file(local: &Local, common: &Common, name: &str) -> Result<String, Failure> {
    if std::path::Path::new(name).is_file() || local.root.join(name).is_file() {
        return super::check::relative(&local.root, name);
    }
    let env = common.local(true).env;
    match local.project.resolve(TreeKind::States, env.as_deref().unwrap_or("base"), name, None) {
        Ok(found) => Ok(found.file.path),
        Err(error) => {
            let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
            Err(Failure::new(format!("there is no file `{name}`, and no state file of that name{help}")))
        }
    }
}
