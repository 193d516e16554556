"""Is a technology what it says it is? Its devices and cells, judged in words."""
