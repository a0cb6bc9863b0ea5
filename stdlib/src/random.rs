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
