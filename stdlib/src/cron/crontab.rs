//! Reading and writing a user's crontab: through `crontab`, or the spool file where that program is missing.

use crate::{
    Context,
    provider::{
        Ownership, files,
        tool::{failure, run, succeed, tool},
    },
};

/// Where cron of Debian and its kin keeps crontabs.
const SPOOL: &str = "/var/spool/cron/crontabs";

/// The text of a user's crontab; empty when there is none.
pub(crate) fn read(cx: &Context, user: &str) -> Result<String, String> {
    check(cx, user)?;
    if cx.machine.commands.find("crontab").is_none() {
        let path = format!("{SPOOL}/{user}");
        return Ok(files::text(cx, &path)?.unwrap_or_default());
    }
    let command = tool("crontab", ["-u", user, "-l"]);
    let output = run(cx, command.clone())?;
    if output.success() {
        return Ok(output.stdout);
    }
    if output.stderr.contains("no crontab for") || output.stderr.contains("can't open") {
        return Ok(String::new());
    }
    Err(failure(&command, &output))
}

/// Replaces a user's crontab. `crontab` itself refuses a line that it cannot read.
pub(crate) fn write(cx: &Context, user: &str, text: &str) -> Result<(), String> {
    check(cx, user)?;
    if cx.machine.commands.find("crontab").is_some() {
        let mut command = tool("crontab", ["-u", user, "-"]);
        command.stdin = Some(text.as_bytes().to_vec());
        return succeed(cx, command).map(drop);
    }
    let files = &cx.machine.files;
    let stat = files.stat(SPOOL, true).map_err(|e| format!("`{SPOOL}` could not be read: {e}"))?;
    let Some(stat) = stat else {
        return Err(format!(
            "there is no cron on this machine: neither `crontab` nor `{SPOOL}`; install it before"
        ));
    };
    let uid = cx.machine.accounts.user(user)?.map(|u| u.uid);
    let path = format!("{SPOOL}/{user}");
    let ownership = Ownership { uid, gid: Some(stat.gid), mode: Some(0o600) };
    files
        .write(&path, text.as_bytes(), ownership, false)
        .map_err(|e| format!("`{path}` could not be written: {e}"))
}

/// The user's name becomes a file's name and an argument.
fn check(cx: &Context, user: &str) -> Result<(), String> {
    if user.is_empty() || user.starts_with(['-', '.']) || user.contains(['/', '\n']) {
        return Err(format!("`{user}` is not the name of a user"));
    }
    if cx.machine.accounts.user(user)?.is_none() && !cx.test {
        return Err(format!("there is no user `{user}`, so it has no crontab; require its `user.present`"));
    }
    Ok(())
}
