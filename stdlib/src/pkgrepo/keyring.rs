//! Keys that sign repositories: fetched, brought into the binary form that apt reads everywhere, kept as files.

use crate::{
    Context,
    provider::tool::{succeed, tool},
    source,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zester_compiler::types::Value;

/// Keys in the form of `.gpg` files: ASCII armour is taken off.
pub(crate) fn binary(content: &[u8], from: &str) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";
    let not_a_key = || format!("`{from}` holds no OpenPGP key");
    let Some(text) = std::str::from_utf8(content).ok().filter(|text| text.contains(BEGIN)) else {
        // A packet begins with its highest bit set; a web page does not.
        return match content.first() {
            Some(byte) if byte & 0x80 != 0 => Ok(content.to_vec()),
            _ => Err(not_a_key()),
        };
    };
    let mut keys = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let (body, _) = block.split_once(END).ok_or_else(|| format!("the key in `{from}` has no end"))?;
        // Headers end at the first blank line; the checksum's line begins with `=`.
        let body = body.replace('\r', "");
        let base64: String = body
            .lines()
            .map(str::trim)
            .filter(|line| !line.contains(':') && !line.starts_with('='))
            .collect();
        let key = STANDARD.decode(base64).map_err(|e| format!("the key in `{from}` is damaged: {e}"))?;
        keys.extend(key);
    }
    if keys.is_empty() { Err(not_a_key()) } else { Ok(keys) }
}

/// The keys at an address, in binary form.
pub(crate) fn fetch(cx: &Context, address: &str) -> Result<Vec<u8>, String> {
    let candidates = source::candidates(&[Value::from(address)]);
    // What a key says is checked by apt; the author names its address.
    let verify = source::Verify { skip: true, ..source::Verify::default() };
    let found = source::fetch(cx, &candidates, &verify, address, |_| Ok(false)).map_err(|e| e.message)?;
    let content = found.ok_or_else(|| format!("`{address}` could not be read"))?;
    binary(&content.content, address)
}

/// Keys from a key server, in binary form.
pub(crate) fn receive(cx: &Context, server: &str, ids: &[String]) -> Result<Vec<u8>, String> {
    if cx.machine.commands.find("gpg").is_none() {
        return Err("keys are fetched from a key server with `gpg`, which is not installed; give `key_url`"
            .to_owned());
    }
    if let Some(odd) = ids.iter().find(|id| {
        let id = id.trim_start_matches("0x");
        id.len() < 8 || !id.bytes().all(|b| b.is_ascii_hexdigit())
    }) {
        return Err(format!("`{odd}` is not the id of a key: it has 8, 16 or 40 hexadecimal digits"));
    }
    let home = succeed(cx, tool("mktemp", ["-d"]))?.stdout.trim().to_owned();
    let gpg = |args: &[&str]| {
        let mut all = vec!["--homedir", home.as_str(), "--batch", "--no-tty"];
        all.extend(args);
        all.extend(ids.iter().map(String::as_str));
        tool("gpg", all)
    };
    let received = succeed(cx, gpg(&["--keyserver", server, "--recv-keys"]))
        .and_then(|_| succeed(cx, gpg(&["--armor", "--export"])));
    let removed = cx.machine.files.remove_dir_all(&home);
    let armoured = received?;
    removed.map_err(|e| format!("`{home}` could not be removed: {e}"))?;
    binary(armoured.stdout.as_bytes(), server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_is_taken_off() {
        let armoured = "junk\n-----BEGIN PGP PUBLIC KEY BLOCK-----\r\nVersion: x\r\n\r\nmQEN\r\nBFf0\r\n=abcd\r\n\
                        -----END PGP PUBLIC KEY BLOCK-----\n";
        let plain = binary(armoured.as_bytes(), "x").unwrap();
        assert_eq!(plain, STANDARD.decode("mQENBFf0").unwrap());
        assert_eq!(binary(&plain, "x").unwrap(), plain);
        assert!(binary(b"<html>not found</html>", "https://x").unwrap_err().contains("no OpenPGP key"));
    }
}
