mod sources;
fn main() { let n: usize = std::env::args().nth(1).unwrap().parse().unwrap(); print!("{}", sources::written_out(n, 7)); }
