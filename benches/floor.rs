//! Lower bounds for hooks: programs with the same profile and linking that do only the necessary I/O.
//!
//! `floor empty` exits at once. `floor hook SOCKET` reads stdin, connects, sends all of it, reads
//! a reply and exits. `floor serve SOCKET FILE durable|volatile` appends each payload to FILE
//! before it replies. With `durable`, it also calls fdatasync before it replies, because an event that
//! a worker acknowledges must be durable.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["empty"] => Ok(()),
        ["hook", socket] => hook(socket),
        ["serve", socket, file, "durable"] => serve(socket, file, File::sync_data),
        ["serve", socket, file, "volatile"] => serve(socket, file, |_| Ok(())),
        _ => {
            Err(io::Error::other("floor empty | hook SOCKET | serve SOCKET FILE durable|volatile"))
        }
    }
}

fn hook(socket: &str) -> io::Result<()> {
    let mut payload = vec![0; 4];
    io::stdin().lock().read_to_end(&mut payload)?;
    let length = u32::try_from(payload.len() - 4).map_err(io::Error::other)?;
    payload[..4].copy_from_slice(&length.to_le_bytes());
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&payload)?;
    stream.read_exact(&mut [0])
}

fn serve(socket: &str, file: &str, sync: fn(&File) -> io::Result<()>) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut payload = vec![0; u32::from_le_bytes(length) as usize];
        stream.read_exact(&mut payload)?;
        file.write_all(&payload)?;
        sync(&file)?;
        stream.write_all(&[1])?;
    }
    Ok(())
}
