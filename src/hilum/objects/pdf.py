"""placeholder"""
from hilum.objects.report import Report
def write(report, written):
    return None
