//! Calls of `openssl`, with a directory of their own for what must be in files.

use super::is_pem;
use crate::{
    Context, Failure,
    provider::{
        Command, Output, Ownership,
        tool::{self, tool},
    },
};

/// Variables that hold phrases.
const PHRASE: &str = "ZESTER_X509_PHRASE";

/// Refuses a machine without `openssl`.
fn is_there(cx: &Context) -> Result<(), Failure> {
    if cx.machine.commands.find("openssl").is_some() {
        return Ok(());
    }
    Err(Failure::new(
        "keys and certificates are made with `openssl`, which is not installed; install its package first",
    ))
}

/// A directory that only this user can look into, gone at the end.
pub(super) struct Scratch<'a> {
    cx: &'a Context,
    directory: String,
}

/// Runs `work` with a directory of its own.
pub(super) fn with_scratch<T>(
    cx: &Context,
    work: impl FnOnce(&Scratch<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    is_there(cx)?;
    // `mktemp` makes it for this user alone.
    let directory = tool::succeed(cx, tool("mktemp", ["-d"]))?.stdout.trim().to_owned();
    let scratch = Scratch { cx, directory };
    let done = work(&scratch);
    let removed = cx.machine.files.remove_dir_all(&scratch.directory);
    let done = done?;
    removed.map_err(|e| format!("`{}` could not be removed: {e}", scratch.directory))?;
    Ok(done)
}

impl Scratch<'_> {
    /// A path in it.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> Result<String, Failure> {
        let path = self.path(name);
        let ownership = Ownership { mode: Some(0o600), ..Ownership::default() };
        let written = self.cx.machine.files.write(&path, content, ownership, true);
        written.map_err(|e| format!("`{path}` could not be written: {e}"))?;
        Ok(path)
    }

    /// The path of something that is given as PEM or as a path.
    pub(super) fn given(&self, name: &str, text: &str) -> Result<String, Failure> {
        if is_pem(text) {
            return self.file(name, format!("{}\n", text.trim()).as_bytes());
        }
        if !text.starts_with('/') {
            return Err(Failure::new(format!(
                "`{name}` is neither the absolute path of a file nor PEM (`-----BEGIN …`)"
            )));
        }
        let stat =
            self.cx.machine.files.stat(text, true).map_err(|e| format!("`{text}` could not be read: {e}"))?;
        match stat {
            Some(_) => Ok(text.to_owned()),
            None => Err(Failure::new(format!(
                "`{text}`, which `{name}` names, does not exist; require the state that makes it"
            ))),
        }
    }
}

/// A call of `openssl`; phrases are taken from the environment by [`phrase`].
pub(super) fn openssl(args: &[&str], phrases: &[Option<&str>]) -> Command {
    let mut command = tool("openssl", args.iter().copied());
    for (at, phrase) in phrases.iter().enumerate() {
        command.env.push((format!("{PHRASE}_{at}"), phrase.map(str::to_owned)));
    }
    // The configuration of the machine must not add anything.
    command.env.push(("OPENSSL_CONF".to_owned(), Some("/dev/null".to_owned())));
    command
}

/// What names a phrase on a command line.
pub(super) fn phrase(at: usize) -> String {
    format!("env:{PHRASE}_{at}")
}

/// Runs it; a failure is said in its own words, without what only its authors understand.
pub(super) fn run(cx: &Context, command: &Command) -> Result<String, Failure> {
    is_there(cx)?;
    let output = tool::run(cx, command.clone())?;
    if output.success() { Ok(output.stdout) } else { Err(Failure::new(words(command, &output))) }
}

fn words(command: &Command, output: &Output) -> String {
    let said: Vec<String> = output
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("Error getting pass"))
        .map(|line| match line.split_once(":error:") {
            // `80BB…:error:11000079:X509 V3 routines:v2i_AUTHORITY_KEYID:no issuer certificate:../crypto/…:145:`
            Some((_, error)) => {
                error.split(':').skip(3).find(|part| !part.starts_with("..")).unwrap_or(error).to_owned()
            }
            None => line.trim().to_owned(),
        })
        .take(6)
        .collect();
    if said.is_empty() || output.timed_out {
        return tool::failure(command, output);
    }
    format!("`{}` exited with {}: {}", tool::line(command), output.status, said.join("; "))
}

/// What a private key's public half is; the error says why it could not be read.
pub(super) fn public_half(cx: &Context, path: &str, passphrase: Option<&str>) -> Result<String, Failure> {
    let command = openssl(
        &["pkey", "-in", path, "-passin", &phrase(0), "-noout", "-text_pub"],
        &[Some(passphrase.unwrap_or_default())],
    );
    run(cx, &command)
}
