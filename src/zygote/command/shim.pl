# What a command run is before it becomes the command: it claims the run's key, tells the zygote, then executes argv.
# Perl, because perl-base is on every Debian, starts in 1 ms and reaches prctl(2). No modules, not even `strict`: they
# would cost 4 ms a run (shim.test.ts compiles this file under strict and warnings instead).
#
# Descriptor 3: our end of the zygote's report socket. Descriptor 4: the instructions, a memfd of NUL-ended fields, so
# that nothing shows in /proc/PID/cmdline and no variable of the run's (PERL5OPT, LC_ALL) has a say before the claim.
# Perl makes every descriptor above 2 that it opens close-on-exec ($^F of perlvar): the command sees 0, 1 and 2 only.

sub WRITE_NEW () { 0301 }    # O_WRONLY | O_CREAT | O_EXCL; numbers of asm-generic/fcntl.h, x64 and arm64 alike
sub APPEND    () { 02101 }   # O_WRONLY | O_CREAT | O_APPEND
sub ENOENT () { 2 }
sub EEXIST () { 17 }
sub PR_SET_CHILD_SUBREAPER () { 36 }
sub CLOCK_REALTIME () { 0 }
sub CANNOT_EXECUTE () { 126 }
sub NOT_FOUND () { 127 }

open our $report, '>&=', 3 or die "descriptor 3: $!\n";
open our $in, '<&=', 4 or die "descriptor 4: $!\n";
my ($run_file, $log, $cwd, $boot_id, $sys_setsid, $sys_prctl, $sys_clock_gettime, $argc, @rest) = split /\0/, do { local $/; <$in> }, -1;
pop @rest;    # what stands behind the last NUL: nothing
my @argv = splice @rest, 0, $argc;

# The run is a child of ours: the peak memory of a process counts what it was before execve(2) (getrusage(2)), and we
# were the zygote, all 90 MB of it. We leave at once; the zygote is a subreaper and becomes the parent. The child goes
# on only when the zygote has been told of it: should we be killed before that, it meets the end of the pipe.
our $spawned = $$;
pipe my $told, my $tell or give_up("pipe: $!");
my $child = fork;
defined $child or give_up("fork: $!");
if ($child) {
    tell_zygote("child $spawned $child");
    syswrite $tell, 'x';
    exit 0;
}
close $tell;
sysread $told, my $word, 1 or exit CANNOT_EXECUTE;
close $told;
syscall($sys_setsid + 0);

# 0: the pool leaves children behind. `+ 0`, because syscall() hands strings over by address.
if ($sys_prctl) { syscall($sys_prctl + 0, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or give_up("prctl: $!") }

kill_in_test('child:before-claim');
sysopen our $run, $run_file, WRITE_NEW, 0600
    or give_up($! == EEXIST ? "the key has been claimed before: $run_file exists" : "$run_file: $!");
say_once($run, join ' ', 'claim', 1, $$, start_time(), $boot_id, now_ms()) or give_up("$run_file: $!");
kill_in_test('child:claimed-before-report');
tell_zygote("claimed $spawned $$");

# From here on the run has begun: what goes wrong is its outcome.
sysopen my $out, $log, APPEND, 0600 or fail(CANNOT_EXECUTE, "log $log: $!");
open STDOUT, '>&', $out or fail(CANNOT_EXECUTE, "log $log: $!");
open STDERR, '>&', $out or fail(CANNOT_EXECUTE, "log $log: $!");
if (length $cwd) { chdir $cwd or fail(CANNOT_EXECUTE, "cwd $cwd: $!") }
%ENV = map { split /=/, $_, 2 } @rest;
exec { $argv[0] } @argv or fail($! == ENOENT ? (NOT_FOUND, "$argv[0]: command not found") : (CANNOT_EXECUTE, "$argv[0]: $!"));

# One line by one write, so that lines of several writers never mix.
sub say_once {
    my ($handle, $line) = @_;
    return syswrite $handle, "$line\n";
}

# It may have died: a run outlives its zygote. `local`, because a signal that is ignored stays so for the command.
sub tell_zygote {
    local $SIG{PIPE} = 'IGNORE';
    say_once($report, $_[0]);
}

# Before the claim: nothing has run.
sub give_up {
    tell_zygote(one_line("unclaimed $spawned $$ $_[0]", 2000));
    exit CANNOT_EXECUTE;
}

# After the claim.
sub fail {
    my ($code, $message) = @_;
    say_once(\*STDERR, $message);
    say_once($run, one_line("error $message", 8000));
    exit $code;
}

sub one_line {
    my ($text, $bytes) = @_;
    $text =~ s/\n/\\n/g;
    return substr $text, 0, $bytes;
}

# Field 22 of /proc/PID/stat, counted from behind the name, which may hold anything.
sub start_time {
    open my $stat, '<', '/proc/self/stat' or return 0;
    my $text = do { local $/; <$stat> };
    return (split / /, substr $text, rindex($text, ')') + 2)[19];
}

sub now_ms {
    my $timespec = "\0" x 16;
    syscall $sys_clock_gettime + 0, CLOCK_REALTIME, $timespec;
    my ($seconds, $nanoseconds) = unpack 'qq', $timespec;
    return $seconds * 1000 + int($nanoseconds / 1_000_000);
}

# The fault tests: die at a named step, once.
sub kill_in_test {
    return if ($ENV{ROCKSY_TEST_KILL} // '') ne $_[0];
    my $once = $ENV{ROCKSY_TEST_KILL_ONCE};
    return if defined $once && !sysopen my $marker, $once, WRITE_NEW, 0600;
    kill 'KILL', $$;
}
