# SPDX-License-Identifier: MIT
# Twenty echo connections by AnyEvent (on EV, libev), and downloads by Mojo: anyevent.pl HOST PORT URL
use strict;
use warnings;
use AnyEvent;
use AnyEvent::Handle;
use Digest::SHA 'sha256_hex';
use Mojo::UserAgent;

my ($host, $port, $url) = @ARGV;
my $all = AnyEvent->condvar;
my @keep;

for my $n (1 .. 20) {
	$all->begin;
	my ($h, $i) = (undef, 0);
	my $line = sub { "$n $i " . 'x' x 2000 };
	my $next;
	$next = sub {
		$h->push_write($line->() . "\n");
		$h->push_read(line => sub {
			$_[1] eq $line->() or die "wrong $n $i";
			if (++$i == 150) { $h->destroy; $all->end; return }
			my $t; $t = AnyEvent->timer(after => 0.015, cb => sub { undef $t; $next->() });
		});
	};
	$h = AnyEvent::Handle->new(connect => [$host, $port], on_error => sub { die $_[2] });
	push @keep, $h;
	$next->();
}
$all->recv;
print "20 connections\n";
my $ua = Mojo::UserAgent->new(max_response_size => 0);
my @got;
Mojo::Promise->all(map { $ua->get_p($url)->then(sub { push @got, sha256_hex($_[0]->res->body) }) } 1 .. 3)->wait;
print "$_\n" for @got;
