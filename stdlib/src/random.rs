//! Random bytes from the kernel.

/// This many random bytes.
pub(crate) fn bytes(count: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..)
        && !rest.is_empty()
    {
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| format!("the kernel gave no random bytes: {e}"))?;
    }
    Ok(bytes)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits.filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}

/// A hidden name that nobody can guess, for something that exists only until it is renamed or removed: `stem` is what a
/// person sees it belongs to, `ending` what programs look at.
pub(crate) fn hidden_name(stem: &str, ending: &str) -> Result<String, String> {
    let digits = hex(&bytes(8)?);
    // A name has at most 255 bytes.
    let stem: String = stem.chars().take(40).collect();
    Ok(format!(".{stem}.{digits}{ending}"))
}
