use anyhow::Result;
use fastwebsockets::{FragmentCollector, OpCode, upgrade::UpgradeFut};
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};

/// fastwebsockets through hyper, as in its own echo example.
pub fn upgrade(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>> {
    let (response, upgrade) = fastwebsockets::upgrade::upgrade(&mut request)?;
    tokio::spawn(tokio::task::unconstrained(echo(upgrade)));
    Ok(response)
}

async fn echo(upgrade: UpgradeFut) -> Result<()> {
    let mut socket = FragmentCollector::new(upgrade.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
