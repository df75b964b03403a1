# The first two packets of an SCTP association, by hand: the kernel of a test need not know SCTP for itself, but has to lead it.
#   sctp.pl answer PORT        answers each INIT to this port with INIT ACK; prints a line when it listens
#   sctp.pl ask ADDRESS PORT   sends INIT until it is answered, and prints ADDRESS:PORT that the INIT ACK is from
# Both take only packets whose checksum is right. Source: RFC 9260, 3 and 5; CRC32c: appendix A.
use strict;
use warnings;
use Socket;

my ($what, @args) = @ARGV;
$| = 1;
socket(my $raw, PF_INET, SOCK_RAW, 132) or die "socket: $!";
my ($INIT, $INIT_ACK) = (1, 2);

sub crc32c {
    my $crc = 0xffffffff;
    for my $byte (unpack 'C*', shift) {
        $crc ^= $byte;
        $crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
    }
    return $crc ^ 0xffffffff;
}

sub packet {
    my ($from, $to, $tag, $chunk) = @_;
    my $bare = pack('nnNN', $from, $to, $tag, 0) . $chunk;
    substr($bare, 8, 4) = pack('V', crc32c($bare));
    return $bare;
}

# Type, tag, window, streams out and in, first number; an INIT ACK has a cookie.
sub chunk {
    my ($type, $tag, $more) = @_;
    my $body = pack('NNnnN', $tag, 65536, 1, 1, 1) . $more;
    return pack('CCn', $type, 0, 4 + length $body) . $body;
}

# From whom, their port, ours, the chunk's type and its tag; nothing for what is no whole packet.
sub received {
    my $peer = recv($raw, my $all, 65535, 0);
    return unless defined $peer;
    my $sctp = substr $all, 4 * (ord($all) & 15);
    return if length $sctp < 20;
    my ($from, $to, undef, $sum) = unpack 'nnNV', $sctp;
    substr($sctp, 8, 4) = "\0\0\0\0";
    return if crc32c($sctp) != $sum;
    my ($type, undef, undef, $tag) = unpack 'CCnN', substr $sctp, 12;
    return (inet_ntoa((unpack_sockaddr_in($peer))[1]), $from, $to, $type, $tag);
}

if ($what eq 'answer') {
    my ($port) = @args;
    print "up\n";
    while (1) {
        my ($address, $from, $to, $type, $tag) = received() or next;
        next unless $to == $port && $type == $INIT;
        my $answer = packet($port, $from, $tag, chunk($INIT_ACK, 7, pack('nna4', 7, 8, 'cook')));
        send $raw, $answer, 0, pack_sockaddr_in(0, inet_aton($address));
    }
}
my ($address, $port) = @args;
my $own = 30000 + $$ % 20000;
local $SIG{ALRM} = sub { die "no answer\n" };
alarm 20;
setsockopt $raw, SOL_SOCKET, SO_RCVTIMEO, pack('l!l!', 1, 0);
while (1) {
    send $raw, packet($own, $port, 0, chunk($INIT, 5, '')), 0, pack_sockaddr_in(0, inet_aton($address)) or die "send: $!";
    my ($who, $from, $to, $type) = received() or next;
    next unless $to == $own && $type == $INIT_ACK;
    print "$who:$from\n";
    exit;
}
