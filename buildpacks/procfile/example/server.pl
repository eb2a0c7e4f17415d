# Any program the stack can run will do; this one needs nothing but Perl.
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(
	LocalPort => $ENV{PORT} || 5000,
	Listen => 64,
	ReuseAddr => 1,
) or die "listen: $@\n";
$SIG{TERM} = sub { exit 0 };
$SIG{CHLD} = 'IGNORE';

while (my $client = $server->accept) {
	next if fork;
	while (defined(my $line = <$client>)) {
		last if $line =~ /^\r?\n$/;
	}
	my $body = "Hello from the Procfile.\n";
	print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ",
		length $body, "\r\nConnection: close\r\n\r\n", $body;
	exit 0;
}
