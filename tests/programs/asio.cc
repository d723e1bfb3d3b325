// SPDX-License-Identifier: MIT
// Twenty echo connections of Boost.Asio, on four threads: asio HOST PORT
#include <boost/asio.hpp>
#include <atomic>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

static std::atomic<int> good;

struct Peer : std::enable_shared_from_this<Peer> {
	asio::strand<asio::io_context::executor_type> strand;
	tcp::socket s;
	asio::steady_timer t;
	int n, i = 0;
	std::string line, in;

	Peer(asio::io_context &io, int n)
	    : strand(asio::make_strand(io)), s(strand), t(strand), n(n)
	{
	}
	void next()
	{
		auto self = shared_from_this();
		line = std::to_string(n) + " " + std::to_string(i) + " " + std::string(2000, 'x') +
		       "\n";
		asio::async_write(s, asio::buffer(line), [self](auto e, auto) {
			if (e)
				throw std::runtime_error(e.message());
		});
		asio::async_read_until(s, asio::dynamic_buffer(in), '\n', [self](auto e, auto) {
			if (e || self->in != self->line)
				throw std::runtime_error("wrong " + e.message());
			self->in.clear();
			if (++self->i == 150) {
				self->s.close();
				good++;
				return;
			}
			self->t.expires_after(std::chrono::milliseconds(15));
			self->t.async_wait([self](auto) { self->next(); });
		});
	}
};

int main(int, char **a)
{
	asio::io_context io;
	tcp::endpoint to(asio::ip::make_address(a[1]), (unsigned short)std::stoi(a[2]));

	for (int n = 0; n < 20; n++) {
		auto p = std::make_shared<Peer>(io, n);
		p->s.async_connect(to, [p](auto e) {
			if (e)
				throw std::runtime_error(e.message());
			p->next();
		});
	}
	std::vector<std::thread> all;
	for (int k = 0; k < 4; k++)
		all.emplace_back([&] { io.run(); });
	for (auto &t : all)
		t.join();
	std::cout << good << "\n";
	return good != 20;
}
