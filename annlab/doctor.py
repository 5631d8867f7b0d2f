"""Public name of ``annlab doctor``, which is in ``annlab._cli.doctor``."""

from annlab._cli.doctor.command import examine as examine
from annlab._cli.doctor.findings import Finding as Finding
from annlab._cli.doctor.findings import exit_status as exit_status
from annlab._cli.doctor.findings import worst as worst
