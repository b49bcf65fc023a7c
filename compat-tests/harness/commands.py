"""Programs as a user runs them."""

import os
import subprocess


def run(*command, check: bool = True, everything: bool = False, timeout: float = 120, **environment) -> str:
    """Standard output of a command that must succeed; with `everything` its standard error, too."""
    # What the machine's own AWS settings say must not reach the clients.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=timeout, env={**inherited, **environment}
    )
    if check and result.returncode != 0:
        raise AssertionError(f"{command}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr if everything else result.stdout
