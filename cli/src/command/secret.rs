//! `zester secret`

use crate::{
    fleet::access_directory,
    options::Common,
    output::{Exit, Failure, findings, print},
};
use clap::{Args, Subcommand};
use std::{
    fs,
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
};
use zester_compiler::{
    diagnostic::Diagnostic,
    settings::{Marked, is_sealed, marked, with_secrets},
    source::Files,
    syntax::{self, Tree},
};
use zester_executor::auth::{
    installation::Installation,
    private::{self, Mode},
    sealed_text::{Keyring, public, seal_text},
};

/// The largest input, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Secrets of settings files: `!encrypted` values, sealed for the holder of a key.
///
/// A sealed text, `ENC[nkey,…]`, may lie in a repository: only the holder of the key reads it. Whoever has the public
/// key can seal. `-` is stdin, and then the result goes to stdout.
#[derive(Args)]
pub struct SecretArgs {
    #[command(subcommand)]
    pub command: SecretCommand,
}

/// What is done with secrets.
#[derive(Subcommand)]
pub enum SecretCommand {
    /// Makes a key: its seed goes to a new file that only its owner reads, the public key to stdout.
    Keygen {
        /// The file; `-` prints the seed instead.
        file: PathBuf,
    },
    /// Seals every `!encrypted` value of settings files, in place; nothing else in them changes.
    Seal {
        /// Settings files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// For whom: a public key (X…) or a file with a seed. Otherwise --secret-key's, else the installation's.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// The file (or stdin) is one secret text, not a settings file; its sealed form goes to stdout.
        #[arg(long)]
        text: bool,
    },
    /// Shows settings files with their secrets opened.
    Open {
        /// Settings files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The file of the key that opens them; --secret-key otherwise.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Writes the files instead: their secrets are then plain text on the disk.
        #[arg(long)]
        in_place: bool,
        /// The file (or stdin) is one sealed text.
        #[arg(long, conflicts_with = "in_place")]
        text: bool,
    },
    /// Seals for another key what is sealed, in place.
    Rotate {
        /// Settings files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The file of the key that opens them; --secret-key otherwise.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The new key: a public key (X…) or a file with a seed.
        #[arg(long, value_name = "KEY")]
        to: String,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &SecretArgs) -> Result<Exit, Failure> {
    match &args.command {
        SecretCommand::Keygen { file } => keygen(file),
        SecretCommand::Seal { files, key, text } => {
            let to = recipient(common, key.as_deref())?;
            if *text {
                return one_text(files, |plain| seal_text(&to, plain).map_err(|e| e.to_string()));
            }
            let seal = |text: &str| {
                if is_sealed(text) {
                    return Ok(None);
                }
                seal_text(&to, text).map(Some).map_err(|e| e.to_string())
            };
            each(common, files, "sealed", true, &seal)
        }
        SecretCommand::Open { files, key, in_place, text } => {
            let ring = opener(common, key.as_deref())?;
            if *text {
                return one_text(files, |sealed| ring.open_text(sealed).map_err(|e| e.to_string()));
            }
            let open = |text: &str| {
                if !is_sealed(text) {
                    return Ok(None);
                }
                ring.open_text(text).map(Some).map_err(|e| e.to_string())
            };
            each(common, files, "opened", *in_place, &open)
        }
        SecretCommand::Rotate { files, key, to } => {
            let ring = opener(common, key.as_deref())?;
            let to = public_key(to)?;
            let rotate = |text: &str| {
                if !is_sealed(text) {
                    return Ok(None);
                }
                let plain = ring.open_text(text).map_err(|e| e.to_string())?;
                seal_text(&to, &plain).map(Some).map_err(|e| e.to_string())
            };
            each(common, files, "sealed anew", true, &rotate)
        }
    }
}

fn keygen(file: &Path) -> Result<Exit, Failure> {
    let (seed, public) = Keyring::generate().map_err(|e| Failure::new(e.to_string()))?;
    if is_stdin(file) {
        print(&format!("{seed}\n"));
        eprintln!("public key: {public}");
        return Ok(Exit::Fine);
    }
    private::create(file, Mode::Secret, &format!("{seed}\n")).map_err(|e| Failure::new(e.to_string()))?;
    print(&format!("{public}\n"));
    Ok(Exit::Fine)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whom to seal for.
fn recipient(common: &Common, key: Option<&str>) -> Result<String, Failure> {
    if let Some(key) = key {
        return public_key(key);
    }
    if let Some(ring) = common.keyring()? {
        return Ok(ring.public_key());
    }
    let none = || {
        Failure::new(
            "there is no key to seal for: name a public key or a key's file with --key, or a file with --secret-key; `zester secret keygen` makes one",
        )
    };
    let directory = access_directory(common).map_err(|_| none())?;
    let installation = Installation::load(&directory).map_err(|e| Failure::new(e.to_string()))?;
    Ok(installation.description.sealer)
}

/// A public key as it is, or that of a file with a seed.
fn public_key(key: &str) -> Result<String, Failure> {
    if public(key).is_ok() {
        return Ok(key.to_owned());
    }
    let path = Path::new(key);
    if key.starts_with("SX") && !path.exists() {
        // It is not repeated: it may be a seed.
        return Err(Failure::new(
            "--key takes a public key (X…) or the name of a file; a seed does not belong on a command line",
        ));
    }
    if !path.exists() {
        return Err(Failure::new(format!(
            "`{key}` is no public key (X… with 56 letters and digits) and no file"
        )));
    }
    Ok(Keyring::load(path).map_err(|e| Failure::new(e.to_string()))?.public_key())
}

fn opener(common: &Common, key: Option<&Path>) -> Result<Keyring, Failure> {
    if let Some(path) = key {
        return Keyring::load(path).map_err(|e| Failure::new(e.to_string()));
    }
    common.keyring()?.ok_or_else(|| {
        Failure::new(
            "there is no key to open with: name its file with --key, --secret-key or ZESTER_SECRET_KEY",
        )
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let shown = if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
    let wrong = |e: &dyn std::fmt::Display| Failure::new(format!("{shown} cannot be read: {e}"));
    let mut bytes = Vec::new();
    if is_stdin(path) {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| wrong(&e))?;
    } else {
        let file = fs::File::open(path).map_err(|e| wrong(&e))?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| wrong(&e))?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong(&format!("it has more than {MAX_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| wrong(&"it is not UTF-8 text"))
}

/// One text rather than settings files.
fn one_text(files: &[PathBuf], change: impl Fn(&str) -> Result<String, String>) -> Result<Exit, Failure> {
    let [file] = files else { return Err(Failure::new("--text takes one file, or `-`")) };
    let text = read(file)?;
    // The line's end that `echo` and editors add is not part of a secret.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    print(&format!("{}\n", change(text).map_err(Failure::new)?));
    Ok(Exit::Fine)
}

/// Changes the secrets of files: those of all files are worked out before the first file is written.
fn each(
    common: &Common,
    paths: &[PathBuf],
    done: &str,
    in_place: bool,
    change: &dyn Fn(&str) -> Result<Option<String>, String>,
) -> Result<Exit, Failure> {
    let files = Files::new();
    let color = common.colored(std::io::stderr().is_terminal());
    let mut changed: Vec<(&Path, String, usize)> = Vec::new();
    let mut failed = false;
    for path in paths {
        let text = read(path)?;
        let shown = if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
        match changed_text(&files, &shown, &text, done, change) {
            Ok((new, count)) => changed.push((path, new, count)),
            Err(Wrong::Findings(found)) => {
                findings(&found, &files, color);
                failed = true;
            }
            Err(Wrong::Words(words)) => {
                eprintln!("zester: {shown}: {words}");
                failed = true;
            }
        }
    }
    if failed {
        eprintln!("zester: nothing is {done}");
        return Ok(Exit::Problems);
    }
    for (path, text, count) in changed {
        if !in_place || is_stdin(path) {
            print(&text);
            continue;
        }
        if count > 0 {
            write(path, &text)?;
        }
        if !common.quiet {
            let noun = if count == 1 { "secret" } else { "secrets" };
            eprintln!("{}: {count} {noun} {done}", path.display());
        }
    }
    Ok(Exit::Fine)
}

enum Wrong {
    Findings(Vec<Diagnostic>),
    Words(String),
}

fn changed_text(
    files: &Files,
    shown: &str,
    text: &str,
    done: &str,
    change: &dyn Fn(&str) -> Result<Option<String>, String>,
) -> Result<(String, usize), Wrong> {
    let parse = |text: &str| -> Tree {
        let id = files.add(shown, text);
        syntax::parse(id, &files.get(id).text)
    };
    let tree = parse(text);
    let secrets = marked(&tree, done).map_err(Wrong::Findings)?;
    let mut new = Vec::new();
    for secret in &secrets {
        new.push(change(&secret.text).map_err(|words| {
            let (_, at) = files.locate(secret.span);
            Wrong::Words(format!("line {}: {words}", at.line))
        })?);
    }
    let count = new.iter().flatten().count();
    let written = with_secrets(&tree, &secrets, &new);
    // What is written must be what was meant, or nothing is.
    let expected = secrets.iter().zip(&new).map(|(old, new)| new.as_ref().unwrap_or(&old.text));
    let again: Vec<Marked> = marked(&parse(&written), done).map_err(Wrong::Findings)?;
    if !expected.eq(again.iter().map(|secret| &secret.text)) {
        let words = "the file would not say the same afterwards; this is a bug of ours".to_owned();
        return Err(Wrong::Words(words));
    }
    Ok((written, count))
}

/// Puts a text in a file's place in one step; owner and permissions stay, and a link stays one.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| Failure::new(format!("{} cannot be written: {e}", path.display()));
    let path = fs::canonicalize(path).map_err(wrong)?;
    let metadata = fs::metadata(&path).map_err(wrong)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(wrong)?;
    file.write_all(text.as_bytes()).map_err(wrong)?;
    file.as_file().set_permissions(metadata.permissions()).map_err(wrong)?;
    {
        use std::os::unix::fs::MetadataExt;
        // Only root can give a file away; whoever else may write here keeps it.
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()));
    }
    file.as_file().sync_all().map_err(wrong)?;
    file.persist(&path).map_err(|e| wrong(e.error))?;
    fs::File::open(directory).and_then(|dir| dir.sync_all()).map_err(wrong)
}
