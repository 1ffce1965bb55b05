use anyhow::Result;
use futures_util::{FutureExt, SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};
use yawc::{CompressionLevel, DeflatePool, OpCode, Options, UpgradeFut, WebSocket};

/// Settings that do what the others do: text is validated, 1 MiB messages fit, and compressors are shared.
pub fn options(compression: bool, takeover: bool) -> Options {
    let options = Options::default().with_utf8().with_limits(2 * MIB, 4 * MIB);
    if !compression {
        return options;
    }
    let options = options.with_compression_level(CompressionLevel::new(1));
    if takeover {
        return options.client_no_context_takeover();
    }
    options.server_no_context_takeover().client_no_context_takeover().with_deflate_pool(DeflatePool::new(64))
}

/// yawc through hyper, with one flush for all that came at once.
pub fn upgrade(mut request: Request<Incoming>, options: Options) -> Result<Response<Empty<Bytes>>> {
    let (response, upgrade) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(echo(upgrade));
    Ok(response)
}

async fn echo(upgrade: UpgradeFut) -> Result<()> {
    let mut socket = upgrade.await?;
    while let Some(frame) = socket.next().await {
        let mut frame = Some(frame);
        while let Some(echoed) = frame {
            if matches!(echoed.opcode(), OpCode::Text | OpCode::Binary) {
                socket.feed(echoed).await?;
            }
            frame = socket.next().now_or_never().flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}

const MIB: usize = 1024 * 1024;
