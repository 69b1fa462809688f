//! Amounts as other languages write them, and how they are written here.

use imm_ir::Type;

/// A quoted amount as it is written here: `"512Mi"`, `"500m"`, `"30s"`.
pub fn quantity(source: &str, wanted: &Type) -> Option<String> {
    let text = source.strip_prefix('"')?.strip_suffix('"')?;
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let plain = !number.is_empty() && !number.starts_with('.') && !number.ends_with('.');
    let unit = match (wanted, unit.trim().to_ascii_lowercase().as_str()) {
        _any if !plain => return None,
        (Type::Cpu, "m") => return milli(number),
        (Type::Cpu, "" | "cpu" | "cpus") => "cpu",
        (Type::Bytes, "ki" | "kib") => "KiB",
        (Type::Bytes, "mi" | "mib") => "MiB",
        (Type::Bytes, "gi" | "gib" | "g") => "GiB",
        (Type::Bytes, "ti" | "tib") => "TiB",
        (Type::Bytes, "kb") => "KB",
        (Type::Bytes, "mb") => "MB",
        (Type::Bytes, "gb") => "GB",
        (Type::Bytes, "m") => "MiB",
        (Type::Bytes, "k") => "KiB",
        (Type::Bytes, "b") => "B",
        (Type::Duration, "ms") => "ms",
        (Type::Duration, "s" | "sec" | "seconds") => "s",
        (Type::Duration, "m" | "min" | "minutes") => "m",
        (Type::Duration, "h" | "hours") => "h",
        (Type::Duration, "d" | "days") => "d",
        (Type::Ratio, "%") => "%",
        _other => return None,
    };
    Some(format!("{number}{unit}"))
}

/// Thousandths of a processor as processors.
pub fn milli(number: &str) -> Option<String> {
    let milli: u64 = number.replace('_', "").parse().ok()?;
    let part = format!("{:03}", milli % 1000);
    let part = part.trim_end_matches('0');
    Some(if part.is_empty() { format!("{}cpu", milli / 1000) } else { format!("{}.{part}cpu", milli / 1000) })
}

/// The number of `512m`.
pub fn minutes(source: &str) -> Option<&str> {
    source
        .strip_suffix('m')
        .filter(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit() || c == b'_'))
}

/// A quantity with its unit.
pub fn unit(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::Duration => "5s",
        Type::Bytes => "5MiB",
        Type::Ratio => "5%",
        Type::Cpu => "0.5cpu",
        _other => return None,
    })
}
