// SPDX-License-Identifier: MIT
// Twenty echo connections on three event loops of Netty: java Netty.java HOST PORT
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.string.*;
import java.util.concurrent.*;

public class Netty {
	static final int LINES = 150;

	static class Line extends SimpleChannelInboundHandler<String> {
		final int id;
		final CountDownLatch left;
		int i;

		Line(int id, CountDownLatch left) { this.id = id; this.left = left; }
		String line() { return id + " " + i + " " + "x".repeat(3000); }
		@Override public void channelActive(ChannelHandlerContext c) { c.writeAndFlush(line() + "\n"); }
		@Override protected void channelRead0(ChannelHandlerContext c, String got) {
			if (!got.equals(line())) { System.out.println("wrong " + id + " " + i); System.exit(1); }
			if (++i == LINES) { c.close(); left.countDown(); return; }
			c.executor().schedule(() -> c.writeAndFlush(line() + "\n"), 15, TimeUnit.MILLISECONDS);
		}
		@Override public void channelInactive(ChannelHandlerContext c) {
			if (i < LINES) { System.out.println("early end"); System.exit(1); }
		}
		@Override public void exceptionCaught(ChannelHandlerContext c, Throwable t) { t.printStackTrace(); System.exit(1); }
	}

	public static void main(String[] a) throws Exception {
		EventLoopGroup group = new NioEventLoopGroup(3);
		CountDownLatch left = new CountDownLatch(20);

		for (int n = 0; n < 20; n++) {
			int id = n;
			new Bootstrap().group(group).channel(NioSocketChannel.class).option(ChannelOption.TCP_NODELAY, true)
				.handler(new ChannelInitializer<SocketChannel>() {
					@Override protected void initChannel(SocketChannel c) {
						c.pipeline().addLast(new LineBasedFrameDecoder(10000), new StringDecoder(), new StringEncoder(), new Line(id, left));
					}
				}).connect(a[0], Integer.parseInt(a[1]));
		}
		left.await();
		System.out.println("20 connections");
		group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
	}
}
